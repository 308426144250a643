/// What a supplicant is told: wpa_supplicant's own form, which eapol_test reads, too.
export interface Client {
  name: string;
  server?: string;
}

const safe = (text: string) => text.replaceAll(/[^\w.@-]/g, '_');

export const clientText = ({ name }: Client): string => `network={
  key_mgmt=IEEE8021X
  eap=TLS
  identity="anonymous"
  ca_cert="ca.pem"
  client_cert="${safe(name)}.pem"
  private_key="${safe(name)}.key"
}
`;
