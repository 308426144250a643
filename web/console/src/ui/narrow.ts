/// A screen on which a row has two lines and forms stand below each other.
export const NARROW = '(max-width: 48em)';
