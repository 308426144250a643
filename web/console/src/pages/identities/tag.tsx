import { identities, identity } from '../../texts/identities';
import { Tag, type Tone } from '../../ui/tag';

const STATUS: Record<string, Tone> = { requested: 'info', approved: 'info', active: 'ok', suspended: 'bad', retired: 'quiet' };
const POSTURE: Record<string, Tone> = { compliant: 'ok', warning: 'warn', unknown: 'quiet', non_compliant: 'bad' };
const RISK: Record<string, Tone> = { low: 'ok', medium: 'warn', high: 'bad' };

export const StatusTag = ({ of }: { of: string }) => <Tag tone={STATUS[of] ?? 'quiet'}>{identities.statuses[of] ?? of}</Tag>;
export const PostureTag = ({ of }: { of: string }) => <Tag tone={POSTURE[of] ?? 'quiet'}>{identity.postureStatus[of] ?? of}</Tag>;
export const RiskTag = ({ of }: { of: string }) => <Tag tone={RISK[of] ?? 'quiet'}>{identity.riskLevel[of] ?? of}</Tag>;

/// A credential in words, such as `san_dns laptop.corp.example`.
export const credentialText = (credential: Record<string, string>): string => Object.entries(credential).map(([key, value]) => `${key} ${value}`).join(', ');
