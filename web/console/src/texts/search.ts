export const search = {
  title: 'Search',
  placeholder: 'MAC in any spelling, IP, name, serial number, network device, session',
  kinds: { identity: 'Identity', endpoint: 'Endpoint', session: 'Session', decision: 'Login', certificate: 'Certificate', nas: 'Network device' } as Record<string, string>,
  readAs: { mac: 'read as a MAC address', ip: 'read as an IP address', id: 'read as an id', name: 'read as a name' } as Record<string, string>,
  pages: 'Pages',
  nothing: (text: string) => `Nothing is called ${text}`,
  nothingHint: 'A part of a name is enough, of two characters or more. A MAC address may be written in any way.',
  when: (ip: string) => `Who had ${ip} at another time?`,
  keys: 'Arrows choose, Enter opens, Escape closes',
};
