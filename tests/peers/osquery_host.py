#!/usr/bin/env python3
"""A host with osquery, as far as its server sees it: written from osquery's "Remotely interfacing osquery" and from
the tables of its schema, with Python's standard library alone, for nobody packages osqueryd for Debian, PyPI or npm.

    osquery_host.py run   --server HOST:PORT --ca PEM [--cert PEM --key PEM] [--secret TEXT] --platform linux
                          --identifier NAME --serial TEXT --host JSON [--prefix /osquery]
    osquery_host.py check --pack JSON --host JSON

The file HOST holds the rows of the host's tables, {"iptables": [{"chain": "INPUT", ...}]}, and is read again before each
query. `run` enrolls, runs the schedule as often as it says (an interval of N seconds is N tenths here), logs what it
finds, and answers distributed queries. `check` runs every query of a pack once and prints what came of it.
"""

import argparse
import http.client
import json
import sqlite3
import ssl
import sys
import time

# osquery, specs/*.table: those columns that a host here can say something of.
TABLES = {
    "alf": "allow_signed_enabled firewall_unload global_state logging_enabled logging_option stealth_enabled version",
    "apps": "name path bundle_executable bundle_identifier bundle_name bundle_short_version bundle_version display_name",
    "bitlocker_info": "device_id drive_letter persistent_volume_id conversion_status protection_status encryption_method",
    "deb_packages": "name version source size arch revision status maintainer section priority",
    "disk_encryption": "name uuid encrypted type encryption_status uid user_uuid filevault_status",
    "file": "path directory filename inode uid gid mode device size block_size atime mtime ctime btime",
    "iptables": "filter_name chain policy target protocol src_port dst_port src_ip src_mask iniface dst_ip dst_mask outiface",
    "managed_policies": "domain uuid name value username manual",
    "mounts": "device device_alias path type blocks_size blocks blocks_free blocks_available inodes inodes_free flags",
    "os_version": "name version major minor patch build platform platform_like codename arch",
    "package_install_history": "package_id time name version source content_type",
    "processes": "pid name path cmdline state cwd root uid gid parent start_time",
    "programs": "name version install_location install_source language publisher uninstall_string install_date",
    "registry": "key path name type data mtime",
    "rpm_packages": "name version release source size sha1 arch epoch install_time vendor package_group",
    "screenlock": "enabled grace_period",
    "secureboot": "secure_boot secure_mode description kernel_extensions mdm_operations setup_mode",
    "systemd_units": "id description load_state active_state sub_state unit_file_state following object_path",
    "windows_security_center": "firewall autoupdate antivirus antispyware internet_settings user_account_control",
    "windows_update_history": "client_app_id date description hresult operation result_code server_selection title",
}


def rows_of(host, sql):
    """The rows as osquery gives them, all values as texts; None and the error if the query is none."""
    with open(host, encoding="utf-8") as file:
        state = json.load(file)
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    for table, columns in TABLES.items():
        columns = columns.split()
        database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        for row in state.get(table, []):
            unknown = set(row) - set(columns)
            assert not unknown, f"{table} has no {unknown}"
            marks = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    try:
        found = database.execute(sql).fetchall()
    except sqlite3.Error as error:
        return None, str(error)
    return [{name: "" if row[name] is None else str(row[name]) for name in row.keys()} for row in found], None


class Host:
    def __init__(self, args):
        self.args = args
        self.key = ""
        self.context = ssl.create_default_context(cafile=args.ca)
        # osquery speaks TLS 1.2, and no other (osquery, remote.md).
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.context.check_hostname = False
        if args.cert:
            self.context.load_cert_chain(args.cert, args.key)

    def post(self, path, body):
        connection = http.client.HTTPSConnection(self.args.server, timeout=10, context=self.context)
        headers = {"Content-Type": "application/json", "User-Agent": "osquery/5.19.0"}
        connection.request("POST", self.args.prefix + path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{path}: {answer.status} {text}"
        said = json.loads(text)
        print(json.dumps({"path": path, "said": said}), flush=True)
        return said

    def asked(self, path, body):
        """What the server says, enrolled; None if this was not so."""
        if not self.key:
            self.enroll()
        said = self.post(path, {"node_key": self.key, **body})
        if said.get("node_invalid"):
            self.key = ""
            return None
        return said

    def enroll(self):
        details = {
            "os_version": {"name": "Debian GNU/Linux", "version": "12", "platform": self.args.platform},
            "osquery_info": {"version": "5.19.0"},
            "system_info": {"hardware_serial": self.args.serial, "hostname": self.args.identifier},
            "platform_info": {},
        }
        body = {"host_identifier": self.args.identifier, "platform_type": "9", "host_details": details}
        if self.args.secret:
            body["enroll_secret"] = self.args.secret
        said = self.post("/enroll", body)
        if said.get("node_invalid") or not said.get("node_key"):
            sys.exit("not enrolled")
        self.key = said["node_key"]

    def entry(self, name, rows):
        now = int(time.time())
        return {
            "snapshot": rows, "action": "snapshot", "name": name, "hostIdentifier": self.args.identifier,
            "calendarTime": time.strftime("%a %b %d %H:%M:%S %Y UTC", time.gmtime(now)), "unixTime": now,
            "epoch": 0, "counter": 0, "numerics": False,
        }

    def run(self):
        due = {}
        while True:
            config = self.asked("/config", {})
            if config is None:
                time.sleep(0.3)
                continue
            found = []
            for name, query in config["schedule"].items():
                if query.get("platform") != self.args.platform or due.get(name, 0) > time.time():
                    continue
                due[name] = time.time() + query["interval"] / 10
                rows, error = rows_of(self.args.host, query["query"])
                if error is None:
                    found.append(self.entry(name, rows))
            if found:
                self.asked("/log", {"log_type": "result", "data": found})
            status = {"hostIdentifier": self.args.identifier, "severity": "0", "message": "ran", "unixTime": int(time.time())}
            self.asked("/log", {"log_type": "status", "data": [status]})
            said = self.asked("/distributed/read", {})
            if said and said["queries"]:
                answers, statuses = {}, {}
                for name, sql in said["queries"].items():
                    rows, error = rows_of(self.args.host, sql)
                    answers[name], statuses[name] = rows or [], 0 if error is None else 1
                self.asked("/distributed/write", {"queries": answers, "statuses": statuses})
            time.sleep(0.3)


def check(pack, host):
    with open(pack, encoding="utf-8") as file:
        schedule = json.load(file)["schedule"]
    found = {}
    for name, query in schedule.items():
        rows, error = rows_of(host, query["query"].replace(":watched", "'tor', 'nmap'"))
        assert error is None, f"{name}: {error}"
        found[name] = [row["value"] for row in rows]
    print(json.dumps(found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["run", "check"])
    for name in ["server", "ca", "cert", "key", "secret", "platform", "identifier", "serial", "host", "pack"]:
        parser.add_argument(f"--{name}")
    parser.add_argument("--prefix", default="/osquery")
    args = parser.parse_args()
    if args.command == "check":
        check(args.pack, args.host)
    else:
        Host(args).run()


main()
