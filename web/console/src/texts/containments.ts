export const containments = {
  inside: 'It is in quarantine',
  begin: 'Quarantine',
  beginBody: 'Wherever rules let it in, it gets the profile quarantine in place of theirs; its sessions are changed within two seconds. It stays so until it is released, or until the time that is chosen here.',
  howLong: 'For how long',
  /// Seconds, and how that is called.
  spans: [['', 'until it is released'], ['3600', 'an hour'], ['28800', '8 hours'], ['86400', 'a day'], ['604800', 'a week']] as const,
  begun: 'In quarantine: its sessions are decided about again.',
  end: 'Release from quarantine',
  endOne: 'Release',
  endBody: 'It gets again what rules say: its sessions are decided about again within two seconds. What a playbook began is over with it.',
  ended: 'Released: its sessions are decided about again.',
  by: 'By',
  profile: 'Profile',
  endsBy: 'It ends by itself',
  untilReleased: 'Until it is released.',
};
