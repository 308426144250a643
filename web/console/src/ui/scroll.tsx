/// What may be wider or longer than its place, and is scrolled by keys too.
import type { ReactNode } from 'react';

export function Scroll({ label, height, children }: { label: string; height?: number; children: ReactNode }) {
  return <div className="scroll" role="group" aria-label={label} tabIndex={0} style={height ? { maxHeight: height } : undefined}>{children}</div>;
}
