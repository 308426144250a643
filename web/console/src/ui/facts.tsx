/// Names with what they are, in two columns.
import type { ReactNode } from 'react';

export function Facts({ of }: { of: [string, ReactNode][] }) {
  const said = of.filter(([, value]) => value !== null && value !== undefined && value !== '' && value !== false);
  return (
    <dl className="facts">
      {said.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
