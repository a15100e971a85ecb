// The box in which GQL is written: CodeMirror with GQL's words, in a file of its own because it is large.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { sql, SQLDialect } from '@codemirror/lang-sql';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { type ReactElement, useEffect, useRef } from 'react';
import { styleNonce } from '../support/style-nonce.ts';

const GQL = SQLDialect.define({
  keywords:
    'aggregate all ancestor and array as asc avg between by contains count count_up_to cursor desc descendant distinct false first from has in is key limit not null offset on or order over select sum true where',
  types: 'blob datetime key project namespace',
  identifierQuotes: '`',
  doubleQuotedStrings: true,
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--code-keyword)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: tags.typeName, color: 'var(--code-keyword)' },
]);

const look = EditorView.theme({
  '&': {
    fontSize: '13.5px',
    borderRadius: '8px',
    border: '1px solid var(--mantine-color-default-border)',
    backgroundColor: 'var(--panel-ground)',
    color: 'var(--mantine-color-text)',
  },
  '&.cm-focused': { outline: '2px solid var(--mantine-color-anchor)', outlineOffset: '1px' },
  '.cm-content': { fontFamily: 'var(--mantine-font-family-monospace)', padding: '10px 4px', caretColor: 'var(--mantine-color-text)' },
  '.cm-scroller': { minHeight: '64px', maxHeight: '220px', overflow: 'auto' },
  '.cm-placeholder': { color: 'var(--mantine-color-placeholder)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection': { backgroundColor: 'var(--code-selection) !important' },
  '.cm-tooltip': { backgroundColor: 'var(--panel-ground)', border: '1px solid var(--rule)', color: 'var(--mantine-color-text)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--mantine-color-blue-7)', color: '#fff' },
});

export interface GqlEditorProps {
  readonly value: string;
  readonly kinds: readonly string[];
  readonly onChange: (text: string) => void;
  /** Ctrl-Enter, or Cmd-Enter. */
  readonly onRun: (text: string) => void;
}

export function GqlEditor({ value, kinds, onChange, onRun }: GqlEditorProps): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView>(undefined);
  const latest = useRef({ value, onChange, onRun });
  latest.current = { value, onChange, onRun };
  const kindList = kinds.join('\n');

  useEffect(() => {
    if (box.current === null) return undefined;
    const run = (view: EditorView): boolean => {
      latest.current.onRun(view.state.doc.toString());
      return true;
    };
    const view = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          EditorView.cspNonce.of(styleNonce()),
          EditorView.contentAttributes.of({ 'aria-label': 'GQL statement. Control Enter runs it', spellcheck: 'false' }),
          EditorView.lineWrapping,
          history(),
          closeBrackets(),
          autocompletion({ icons: false }),
          sql({ dialect: GQL, upperCaseKeywords: true, schema: Object.fromEntries(kindList.split('\n').map((kind) => [kind, []])) }),
          syntaxHighlighting(colours),
          placeholder('SELECT * FROM Kind'),
          look,
          Prec.highest(
            keymap.of([
              { key: 'Mod-Enter', run },
              { key: 'Ctrl-Enter', run },
            ]),
          ),
          // Tab stays the way out of the box.
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    editor.current = view;
    return () => view.destroy();
  }, [kindList]);

  useEffect(() => {
    const view = editor.current;
    if (view !== undefined && view.state.doc.toString() !== value) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } });
    }
  }, [value]);

  return <div ref={box} className="gql-editor" />;
}
