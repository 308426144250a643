/// The console's own few icons, so that no set of thousands is loaded. Each is one path on a grid of 24.
const PATHS = {
  overview: 'M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z',
  stream: 'M3 6h13M3 12h9M3 18h11M19 9l2 3-2 3',
  sessions: 'M5 18a10 10 0 0 1 14 0M8 14.500a6 6 0 0 1 8 0M12 19h.01M12 4v4',
  map: 'M9 4 3 6v14l6-2 6 2 6-2V4l-6 2zM9 4v14M15 6v14',
  who: 'M10 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM3 20a7 7 0 0 1 9-6.700M17 19a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM19.200 18.200 22 21',
  identity: 'M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0',
  endpoint: 'M4 5h16v11H4zM2 20h20',
  policy: 'M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h5',
  nas: 'M3 7h18v5H3zM3 12h18v5H3zM7 9.500h.01M7 14.500h.01M11 9.500h6M11 14.500h6',
  certificate: 'M5 4h14v11H5zM9 8h6M9 11h3M15 15v6l2-1.500 2 1.500v-6',
  posture: 'M12 3 5 6v6c0 4.500 3 7.500 7 9 4-1.500 7-4.500 7-9V6zM9 12l2 2 4-4',
  signal: 'M12 3v10M12 17.500h.01M5 21h14',
  playbook: 'M5 4l14 8-14 8z',
  audit: 'M7 3h10v18l-5-3-5 3zM10 8h4M10 12h4',
  settings: 'M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM12 3v3M12 18v3M3 12h3M18 12h3M5.600 5.600l2.200 2.200M16.200 16.200l2.200 2.200M5.600 18.400l2.200-2.200M16.200 7.800l2.200-2.200',
  operator: 'M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 20a6 6 0 0 1 12 0M16 5a3 3 0 0 1 0 6M18 14a6 6 0 0 1 3 5',
  token: 'M14 10a4 4 0 1 0-3 3.900L7 18v3h3v-2h2v-2h2v-3',
  webhook: 'M8 8a4 4 0 1 1 5 3l-3 6M6 14a4 4 0 1 0 4 4h6M16 14a4 4 0 1 1-2 7',
  report: 'M5 3h14v18H5zM9 16v-4M12 16V8M15 16v-6',
  start: 'M5 12h14M13 6l6 6-6 6',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500 19 19M5 19l1.500-1.500M17.500 6.500 19 5',
  moon: 'M20 14a8 8 0 1 1-10-10 6.500 6.500 0 0 0 10 10z',
  system: 'M3 4h18v12H3zM8 20h8M12 16v4',
  chevron: 'M9 6l6 6-6 6',
  down: 'M6 9l6 6 6-6',
  up: 'M6 15l6-6 6 6',
  check: 'M5 12l5 5 9-10',
  cross: 'M6 6l12 12M18 6 6 18',
  warning: 'M12 4 2.500 20h19zM12 10v4M12 17h.01',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 4l12 8-12 8z',
  pin: 'M9 4h6l-1 6 3 3H7l3-3zM12 13v7',
  replay: 'M4 12a8 8 0 1 0 3-6.200M4 4v4h4',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  plus: 'M12 5v14M5 12h14',
  out: 'M14 4h6v6M20 4l-9 9M18 14v6H4V6h6',
  leave: 'M15 4h4v16h-4M10 8l-4 4 4 4M6 12h9',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  edit: 'M4 20l1-4L16 5l3 3L8 19z',
  download: 'M12 4v11M7 11l5 5 5-5M4 20h16',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.800} strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
