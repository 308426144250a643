/// The secrets of devices that were just added: for the page that shows what is entered on them, and nowhere else. They go when
/// the window is closed.
const secrets = new Map<string, string>();

export const keepSecret = (name: string, secret: string): void => void secrets.set(name, secret);
export const keptSecret = (name: string): string | undefined => secrets.get(name);
