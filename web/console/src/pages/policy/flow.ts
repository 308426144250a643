/// Bands from the profiles of today to those of a draft, as wide as they have logins.
export interface Flow {
  from: string;
  to: string;
  decisions: number;
}

export interface Node {
  name: string;
  y: number;
  height: number;
}

export interface Band {
  flow: number;
  d: string;
}

export interface Layout {
  left: Node[];
  right: Node[];
  bands: Band[];
  height: number;
}

/// Heights in pixels: of all bands together at most, of one and of each further, of what is between two nodes, and of the
/// thinnest that is still seen.
const TOTAL = 240;
const FIRST = 48;
const FURTHER = 40;
const GAP = 26;
const THINNEST = 6;
const TOP = 14;

export function layout(flows: Flow[], width: number): Layout {
  const sum = flows.reduce((all, flow) => all + flow.decisions, 0) || 1;
  const total = Math.min(TOTAL, FIRST + FURTHER * (flows.length - 1));
  const tall = flows.map((flow) => Math.max(THINNEST, (flow.decisions / sum) * total));
  const side = (of: (flow: Flow) => string): [Node[], number[]] => {
    const names = [...new Set(flows.map(of))];
    const nodes: Node[] = [];
    const begins: number[] = [];
    let y = TOP;
    for (const name of names) {
      let within = y;
      flows.forEach((flow, n) => {
        if (of(flow) !== name) return;
        begins[n] = within;
        within += tall[n] ?? 0;
      });
      nodes.push({ name, y, height: within - y });
      y = within + GAP;
    }
    return [nodes, begins];
  };
  const [left, starts] = side((flow) => flow.from);
  const [right, ends] = side((flow) => flow.to);
  const middle = width / 2;
  const bands = flows.map((_, n) => {
    const [a, b, h] = [starts[n] ?? 0, ends[n] ?? 0, tall[n] ?? 0];
    return { flow: n, d: `M0 ${a}C${middle} ${a} ${middle} ${b} ${width} ${b}V${b + h}C${middle} ${b + h} ${middle} ${a + h} 0 ${a + h}Z` };
  });
  const bottom = (nodes: Node[]) => Math.max(0, ...nodes.map((node) => node.y + node.height));
  return { left, right, bands, height: Math.max(bottom(left), bottom(right)) + TOP };
}
