// What an app prints, made fit to be stored and shown: an app's output must not drive the terminal or the page of who reads it.

/** Colours and the like of terminals: they mean nothing in a log. */
const ESCAPE_SEQUENCE = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
/** Control characters but tab and line feed, and those that turn the direction of what follows. */
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const ALL_HARMFUL = new RegExp(HARMFUL.source, 'g');

/** `text` without terminal colours, and with U+FFFD for each control character. */
export function harmlessText(text: string): string {
  return HARMFUL.test(text) ? text.replace(ESCAPE_SEQUENCE, '').replace(ALL_HARMFUL, '\ufffd') : text;
}
