// Files of App Engine's YAML family: read under limits, and errors that point into the text.
// It must not know what any element means: app-manifest.ts and index-manifest.ts do.
// Read next: manifest-schema.ts.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar } from 'yaml';
import { PlatformError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/**
 * What a file says, without YAML's guesses about types: every scalar is its text, so that `1.0`, `yes` and `0644`
 * reach an environment variable as written. `null` is an element without a value.
 */
export type YamlData = string | null | readonly YamlData[] | { readonly [key: string]: YamlData };

export type YamlPath = readonly PropertyKey[];

const CORE_TAG = /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/;

/** One parsed file. */
export class YamlSource {
  readonly data: YamlData;
  readonly #text: string;
  readonly #fileName: string;
  readonly #lines = new LineCounter();
  readonly #root: Node | null;
  readonly #anchors = new Map<string, Node>();
  #nodes = 0;

  /** Throws MANIFEST_INVALID with file, line and column: too large, not YAML, custom tags, too many aliases, duplicate keys. */
  constructor(text: string, fileName: string) {
    this.#text = text;
    this.#fileName = fileName;
    const bytes = Buffer.byteLength(text);
    if (bytes > LIMITS.manifestBytesMax) {
      throw this.#error(0, `the file has ${bytes} bytes, at most ${LIMITS.manifestBytesMax} are allowed`);
    }
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      stringKeys: true,
      schema: 'core',
      // The library's own check compares each key with all others; #mapping does it with a set.
      uniqueKeys: false,
      // Nothing is written back, and comments may be long.
      keepSourceTokens: false,
    });
    const first = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]).at(0);
    if (first) throw this.#error(first.pos[0], syntaxProblem(first.code, first.message));
    this.#root = document.contents;
    this.data = this.#root === null ? null : this.#plain(this.#root, 0);
  }

  /** MANIFEST_INVALID at the value of `path`, or at the nearest element above it that the file has. */
  errorAt(path: YamlPath, problem: string): PlatformError {
    return this.#error(this.#offsetOf(path), problem);
  }

  /** MANIFEST_INVALID at the name `key` within the mapping at `path`. */
  errorAtKey(path: YamlPath, key: string, problem: string): PlatformError {
    const pair = this.#pairOf(this.#nodeAt(path), key);
    return this.#error(pair ? offsetOfNode(pair.key) : this.#offsetOf(path), problem);
  }

  #plain(node: Node, depth: number): YamlData {
    this.#nodes++;
    if (this.#nodes > LIMITS.manifestNodesMax) {
      throw this.#error(offsetOfNode(node), `more than ${LIMITS.manifestNodesMax} values once its aliases are filled in`);
    }
    if (depth > LIMITS.manifestDepthMax) throw this.#error(offsetOfNode(node), `nested deeper than ${LIMITS.manifestDepthMax}`);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (!target) throw this.#error(offsetOfNode(node), `the alias "*${node.source}" has no anchor before it`);
      return this.#plain(target, depth + 1);
    }
    if (node.tag !== undefined && !CORE_TAG.test(node.tag)) {
      throw this.#error(offsetOfNode(node), `the tag "${node.tag}" is not allowed here; write the value without it`);
    }
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return scalarText(node);
    if (isSeq<Node>(node)) return node.items.map((item) => this.#plain(item, depth + 1));
    if (isMap<Node, Node | null>(node)) return this.#mapping(node.items, depth);
    throw this.#error(offsetOfNode(node), 'this kind of value is not allowed here');
  }

  #mapping(pairs: readonly Pair<Node, Node | null>[], depth: number): YamlData {
    const data = Object.create(null) as Record<string, YamlData>;
    const seen = new Set<string>();
    for (const { key, value } of pairs) {
      const name = isScalar(key) ? scalarText(key) : undefined;
      if (name === undefined || name === null || name === '') throw this.#error(offsetOfNode(key), 'an element needs a name');
      if (name === '__proto__') throw this.#error(offsetOfNode(key), 'the name "__proto__" is not allowed');
      if (seen.has(name)) throw this.#error(offsetOfNode(key), `"${name}" stands here twice; keep one`);
      seen.add(name);
      data[name] = value === null ? null : this.#plain(value, depth + 1);
    }
    return data;
  }

  #resolve(node: Node | null | undefined): Node | undefined {
    let at = node ?? undefined;
    // Chains of aliases were walked by #plain, so they end.
    while (at && isAlias(at)) at = this.#anchors.get(at.source);
    return at;
  }

  #pairOf(node: Node | undefined, key: PropertyKey): Pair<Node, Node | null> | undefined {
    if (!node || !isMap<Node, Node | null>(node)) return undefined;
    return node.items.find((pair) => isScalar(pair.key) && scalarText(pair.key) === key);
  }

  #nodeAt(path: YamlPath): Node | undefined {
    let at = this.#resolve(this.#root);
    for (const part of path) {
      if (at && isSeq<Node>(at)) at = this.#resolve(typeof part === 'number' ? at.items[part] : undefined);
      else at = this.#resolve(this.#pairOf(at, part)?.value);
    }
    return at;
  }

  #offsetOf(path: YamlPath): number {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#nodeAt(path.slice(0, length));
      const last = path[length - 1];
      // An element without a value has no place of its own: its name does.
      if (node?.range && node.range[0] < node.range[1]) return node.range[0];
      const pair = last === undefined ? undefined : this.#pairOf(this.#nodeAt(path.slice(0, length - 1)), last);
      if (pair) return offsetOfNode(pair.key);
    }
    return 0;
  }

  #error(offset: number, problem: string): PlatformError {
    const { line, column } = this.#position(offset);
    const excerpt = excerptOf(this.#text.split('\n', line)[line - 1] ?? '', line, column);
    return new PlatformError('MANIFEST_INVALID', `${this.#fileName}, line ${line}, column ${column}: ${problem}\n${excerpt}`, {
      details: { file: this.#fileName, line, column, problem },
    });
  }

  #position(offset: number): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return line === 0 ? { line: 1, column: 1 } : { line, column: Math.max(col, 1) };
  }
}

function offsetOfNode(node: Node): number {
  return node.range?.[0] ?? 0;
}

function scalarText(node: Scalar): string | null {
  const quoted =
    node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' || node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  if (quoted && typeof node.value === 'string') return node.value;
  return node.value === null ? null : (node.source ?? '');
}

const EXCERPT_CHARACTERS_MAX = 100;

function excerptOf(lineText: string, line: number, column: number): string {
  // A window around the column, so that a line of 200 kB stays readable.
  const start = Math.max(0, column - EXCERPT_CHARACTERS_MAX / 2);
  // Control characters would garble a terminal; each stays one column wide.
  const shown = Array.from(lineText.slice(start, start + EXCERPT_CHARACTERS_MAX), (character) =>
    isControl(character) ? ' ' : character,
  ).join('');
  const gutter = String(line);
  return `  ${gutter} | ${shown}\n  ${' '.repeat(gutter.length)} | ${' '.repeat(column - 1 - start)}^`;
}

function isControl(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/** The library's messages in the words of someone who edits a configuration file. */
function syntaxProblem(code: string, message: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'a tab stands where spaces must; indent with spaces';
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'a second ":" on one line; put the value in quotes, or the inner element on a line of its own';
    case 'MULTIPLE_DOCS':
      return 'a second document ("---") begins here; one file holds one';
    case 'MISSING_CHAR':
      return `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
    case 'BAD_INDENT':
      return `the indentation does not fit (${message})`;
    case 'RESOURCE_EXHAUSTION':
      return `nested deeper than ${LIMITS.manifestDepthMax}`;
    case 'NON_STRING_KEY':
      return 'a name must be plain text';
    case 'TAG_RESOLVE_FAILED':
      return `${message.replace('Unresolved tag', 'custom tags are not allowed')}; write the value without it`;
    default:
      return message;
  }
}
