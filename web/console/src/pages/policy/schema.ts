/// What rules may speak of, read from the Cedar schema that the server gives: names after a dot, and entities.
export interface Fact {
  name: string;
  /// Its type, such as `String`, or the name of a record.
  type: string;
  optional: boolean;
}

export interface Vocabulary {
  /// Kinds of entities, such as `Group`.
  entities: string[];
  /// Records by name; `context` is what a connection is asked with, `principal` what identities have.
  records: Map<string, Fact[]>;
}

const FACT = /(\w+)(\?)?\s*:\s*(Set<\w+>|[\w:]+)/g;

const facts = (body: string): Fact[] => [...body.matchAll(FACT)].map(([, name, optional, type]) => ({ name: name ?? '', type: type ?? '', optional: Boolean(optional) }));

export function vocabularyOf(schema: string): Vocabulary {
  const text = schema.replaceAll(/\/\/[^\n]*/g, '');
  const records = new Map<string, Fact[]>();
  const entities: string[] = [];
  for (const [, names, body] of text.matchAll(/entity\s+([\w,\s]+?)\s*(?:in\s*\[[^\]]*\]\s*)?(?:=\s*\{([^}]*)\}[^;]*)?;/g)) {
    entities.push(...(names ?? '').split(',').map((name) => name.trim()));
    if (!body) continue;
    const key = names?.trim() === 'Nas' ? 'resource' : 'principal';
    records.set(key, facts(body));
  }
  for (const [, name, body] of text.matchAll(/type\s+(\w+)\s*=\s*\{([^}]*)\}/g)) records.set(name ?? '', facts(body ?? ''));
  const context = /context:\s*\{([^}]*)\}/.exec(text)?.[1];
  if (context) records.set('context', facts(context));
  return { entities, records };
}

/// What may follow `context.certificate.`, and so on.
export function after(path: string[], { records }: Vocabulary): Fact[] {
  let found = records.get(path[0] ?? '') ?? [];
  for (const name of path.slice(1)) {
    const fact = found.find((one) => one.name === name);
    found = fact ? records.get(fact.type) ?? [] : [];
  }
  return found;
}
