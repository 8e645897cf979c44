import { ApiError, messageOf } from '../model/errors.ts';

/** OpenSSL's names for a chain that does not end in a known authority. */
const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
]);

/** One sentence for a person: why the API server could not be reached, and what to do. For anything else, its message. */
export function describeConnectError(error: unknown, address: string): string {
  if (error instanceof ApiError && error.status === 401) {
    return `${error.message}: the credentials are missing, wrong or expired; log in again, or renew the token or client certificate of the user in the kubeconfig`;
  }
  const { code, message } = innermost(error);
  if (UNTRUSTED.has(code)) {
    return `the certificate of ${address} is not trusted (${code}): put the cluster's CA into certificate-authority-data (or certificate-authority) of the kubeconfig, or into NODE_EXTRA_CA_CERTS`;
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    if (/alert/i.test(message + code))
      return `${address} refused the TLS handshake (${code}): it probably demands a client certificate that it trusts; check client-certificate in the kubeconfig`;
    return `${address} does not speak TLS as expected (${code}): check https or http in the server of the kubeconfig, and the port`;
  }
  switch (code) {
    case 'ECONNREFUSED':
      return `nobody listens at ${address} (connection refused): is the API server running, and is the server in the kubeconfig right?`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name of ${address} cannot be resolved (${code}): check the server in the kubeconfig, DNS, and whether a proxy or VPN is needed`;
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${address} cannot be reached (${code}): check network, firewall, VPN and HTTPS_PROXY`;
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return `${address} stopped answering (${code}): the API server or something on the way is stuck`;
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${address} has expired: renew it on the API server, or correct this machine's clock`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${address} is not valid yet: correct the clock of this machine or of the API server`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${address} is for another name (${message}): use a server name that it covers, or name one in tls-server-name of the kubeconfig`;
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return `the connection to ${address} was cut (${code})`;
    case 'UND_ERR_ABORTED':
    case 'UND_ERR_PRX_CONN':
      return `the proxy towards ${address} refused or failed (${message}): check proxy-url in the kubeconfig, or HTTPS_PROXY and its credentials`;
    default:
      return message;
  }
}

/** The first error down the causes (and the first of several addresses) that carries a code. */
function innermost(error: unknown): { readonly code: string; readonly message: string } {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; depth++) {
    if ('code' in at && typeof at.code === 'string' && at.code !== '') return { code: at.code, message: at.message || messageOf(error) };
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return { code: '', message: messageOf(error) };
}
