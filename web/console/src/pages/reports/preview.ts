/// The beginning of a CSV file, cut into cells (RFC 4180).
export function cells(csv: string, most: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  for (let n = 0; n < csv.length && rows.length < most; n += 1) {
    const char = csv[n];
    if (quoted) {
      if (char === '"' && csv[n + 1] === '"') { cell += '"'; n += 1; } else if (char === '"') quoted = false;
      else cell += char;
    } else if (char === '"') quoted = true;
    else if (char === ',') { row.push(cell); cell = ''; } else if (char === '\n') {
      rows.push([...row, cell.replace(/\r$/, '')]);
      row = [];
      cell = '';
    } else cell += char;
  }
  return rows;
}

/// Octets of a report that are read to show its beginning.
const READ = 64 * 1024;

/// The first lines of a report. No more of it is read: it may be gigabytes.
export async function beginning(url: string, most: number): Promise<string[][]> {
  const stop = new AbortController();
  const answer = await fetch(url, { signal: stop.signal });
  if (!answer.ok || !answer.body) throw new Error(String(answer.status));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    text += value ?? '';
    if (done || text.length >= READ || text.split('\n').length > most + 1) break;
  }
  await reader.cancel();
  stop.abort();
  return cells(text, most);
}
