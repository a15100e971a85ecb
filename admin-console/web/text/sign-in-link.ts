/** The code in a sign-in link or in its fragment alone: `…#code=CODE`. */
export function codeOf(link: string): string | undefined {
  const code = /(?:^|#|&)code=([^&\s]+)/.exec(link.trim())?.[1];
  if (code === undefined) return undefined;
  try {
    return decodeURIComponent(code);
  } catch {
    return undefined;
  }
}
