/** The nonce that the server wrote into the page: styles made at run time carry it, else the content security policy drops them. */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
}
