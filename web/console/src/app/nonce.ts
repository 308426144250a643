/// The nonce that styles need which are made while the console runs (Content-Security-Policy). Browsers show it to
/// scripts by this property alone.
const meta = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]');

export const nonce = (): string => meta?.nonce ?? '';

// What Mantine's dialogs use to hold the page's scroll position looks for it here.
(globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce();
