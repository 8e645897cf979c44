import { messageOf } from '../../model/errors.ts';

const TLS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired: it has to be renewed there',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks of both machines',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name: use the name in the certificate in storage.url',
  SELF_SIGNED_CERT_IN_CHAIN: 'nobody known has signed its certificate: name its CA in storage.tls.caFile',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'nobody known has signed its certificate: name its CA in storage.tls.caFile',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'nobody known has signed its certificate: name its CA in storage.tls.caFile',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'nobody known has signed its certificate: name its CA in storage.tls.caFile',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: use bcs+http in storage.url',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS: use bcs+http in storage.url',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a client certificate: set storage.tls.certFile and storage.tls.keyFile',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not know who signed our client certificate: take one that its CA has signed',
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED': 'our client certificate has expired: renew storage.tls.certFile',
};

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: start the service, or correct storage.url',
  ENOTFOUND: 'its name is not known: correct the host in storage.url',
  EAI_AGAIN: 'its name cannot be looked up just now',
  EHOSTUNREACH: 'there is no way to it in the network',
  ENETUNREACH: 'there is no way to it in the network',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer: check the address and firewalls',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
};

/** Why a request got no answer, as a sentence with a way out. */
export function describeFailure(cause: unknown, address: string): string {
  const code = codeOf(cause);
  const known = Object.hasOwn(TLS, code) ? TLS[code] : Object.hasOwn(NETWORK, code) ? NETWORK[code] : undefined;
  return `the storage service at ${address} cannot be used: ${known ?? messageOf(cause)}${code === '' ? '' : ` (${code})`}`;
}

function codeOf(cause: unknown): string {
  const own = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  // A name with several addresses fails with one error for each.
  if (cause instanceof AggregateError && cause.errors.length > 0 && !Object.hasOwn(NETWORK, own)) return codeOf(cause.errors[0]);
  return own;
}
