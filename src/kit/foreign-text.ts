/**
 * What a server says goes into logs, status and metrics of ours, and some servers quote what they were sent: a proxy the credentials, a storage service the
 * document. So their sentences are kept, and what they quote is not.
 */

/** As in the header Authorization, and web tokens wherever they stand. */
const CREDENTIALS = /\b(bearer|basic|negotiate|digest)(:?\s+)(?!(?:token|auth|credential|authentication)s?\b)[^\s"',;]+/gi;
const WEB_TOKEN = /\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g;
/** A word that could be a value, and not only one of our language. */
const WORD = /[^\s"'`{}[\](),;=]{8,}/g;
const OPENS_JSON = /[{[]\s*["{[]|["'`]?\w+["'`]\s*:/;

/** Takes credentials out. */
export function withoutCredentials(text: string): string {
  return text.replace(CREDENTIALS, '$1$2***').replace(WEB_TOKEN, '***');
}

/** Takes credentials out, JSON from where it begins, and every long word that occurs in `sent`. */
export function withoutQuotes(text: string, sent: string | Uint8Array | undefined): string {
  const clean = withoutCredentials(text);
  const json = OPENS_JSON.exec(clean);
  const sentence = json === null ? clean : `${clean.slice(0, json.index)}…`;
  if (sent === undefined) return sentence;
  const haystack = typeof sent === 'string' ? sent : Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength);
  return sentence.replace(WORD, (word) => (haystack.includes(word) ? '…' : word));
}
