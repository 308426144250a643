/// Words of what has a place on the network: logins, sessions and endpoints share them.
export const network = {
  who: 'Who',
  mac: 'MAC address',
  ip: 'IP address',
  nas: 'Network device',
  port: 'Port',
  site: 'Site',
  profile: 'Profile',
  ssid: 'SSID',
  vlan: 'VLAN',
  since: 'Since',
  until: 'Until',
};
