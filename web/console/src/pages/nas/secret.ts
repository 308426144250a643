/// Letters that nobody mistakes for another, and that no command line takes for its own.
const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
/// Some 140 bits.
const LENGTH = 24;

/// A secret that nobody guesses. What would make some letters likelier than others is thrown again.
export function newSecret(): string {
  const fair = 256 - (256 % LETTERS.length);
  let text = '';
  while (text.length < LENGTH) {
    for (const octet of crypto.getRandomValues(new Uint8Array(LENGTH))) {
      if (octet < fair && text.length < LENGTH) text += LETTERS[octet % LETTERS.length];
    }
  }
  return text;
}
