#!/usr/bin/env python3
"""A collector of traces by OTLP over HTTP, which reads them by OpenTelemetry's own definitions.

    otlp_receiver.py DIR

Each span becomes a line of JSON in DIR/taken. DIR/mode has the status that it answers; its port is in DIR/port, and
another start takes the same.
"""

import json
import pathlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

DIR = pathlib.Path(sys.argv[1])
LOCK = threading.Lock()


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def lines(request):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "service": attributes(resource.resource.attributes),
                    "scope": [scope.scope.name, scope.scope.version],
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": attributes(span.attributes),
                    "failed": span.status.code == Status.STATUS_CODE_ERROR,
                }


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        status = int((DIR / "mode").read_text())
        if self.path != "/v1/traces" or self.headers["content-type"] != "application/x-protobuf":
            status = 400
        if status == 200:
            request = ExportTraceServiceRequest.FromString(body)
            # What the definitions do not know would be kept as it came: it must be nothing.
            again = ExportTraceServiceRequest.FromString(body)
            again.DiscardUnknownFields()
            assert again == request, "fields that no definition has"
            with LOCK, (DIR / "taken").open("a") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines(request))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


port = DIR / "port"
server = ThreadingHTTPServer(("127.0.0.1", int(port.read_text()) if port.exists() else 0), Collector)
server.daemon_threads = True
(DIR / "port.new").write_text(str(server.server_port))
(DIR / "port.new").rename(port)
server.serve_forever()
