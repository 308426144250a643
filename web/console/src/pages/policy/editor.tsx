/// The editor of Cedar texts, of tests and of playbooks: completion from the server's schema, errors where they are. It is loaded with this
/// page alone.
import { autocompletion, closeBrackets, completionKeymap, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, StreamLanguage, syntaxHighlighting, type StringStream } from '@codemirror/language';
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';
import { nonce } from '../../app/nonce';
import './editor.css';
import { after, type Vocabulary } from './schema';

export interface Mark {
  /// From 1.
  line: number;
  message: string;
  severity: 'error' | 'warning';
}

const WORDS = /^(?:permit|forbid|when|unless|principal|action|resource|context|in|is|has|like|if|then|else)\b/;

const cedar = StreamLanguage.define({
  name: 'cedar',
  token(stream: StringStream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^\/\/.*/)) return 'comment';
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return 'string';
    if (stream.match(/^@\w+/)) return 'meta';
    if (stream.match(/^(?:true|false)\b/)) return 'bool';
    if (stream.match(WORDS)) return 'keyword';
    if (stream.match(/^\d+/)) return 'number';
    if (stream.match(/^[A-Z]\w*(?=::)/)) return 'typeName';
    if (stream.match(/^[A-Za-z_]\w*/)) return 'variableName';
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: '//' } },
});

const toml = StreamLanguage.define({
  name: 'toml',
  token(stream: StringStream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return 'comment';
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return 'string';
    if (stream.sol() && stream.match(/^\[\[?[^\]]*\]\]?/)) return 'keyword';
    if (stream.match(/^(?:true|false)\b/)) return 'bool';
    if (stream.match(/^-?\d[\d.:TZ-]*/)) return 'number';
    if (stream.match(/^[A-Za-z_][\w-]*(?=\s*=)/)) return 'typeName';
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: '#' } },
});

const json = StreamLanguage.define({
  name: 'json',
  token(stream: StringStream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^"(?:[^"\\]|\\.)*"(?=\s*:)/)) return 'typeName';
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return 'string';
    if (stream.match(/^(?:true|false|null)\b/)) return 'bool';
    if (stream.match(/^-?\d[\d.eE+-]*/)) return 'number';
    stream.next();
    return null;
  },
});

const LANGUAGES = { cedar, toml, json };

const colours = HighlightStyle.define([
  { tag: tags.comment, class: 'cm-c-comment' },
  { tag: tags.string, class: 'cm-c-string' },
  { tag: tags.keyword, class: 'cm-c-keyword' },
  { tag: tags.meta, class: 'cm-c-note' },
  { tag: [tags.number, tags.bool], class: 'cm-c-number' },
  { tag: tags.typeName, class: 'cm-c-type' },
]);

/// Completion from what rules may speak of.
const completion = (known: () => Known) => (context: CompletionContext): CompletionResult | null => {
  const { vocabulary, groups, sites, profiles } = known();
  const path = context.matchBefore(/(?:context|principal|resource)(?:\.\w*)+/);
  if (path) {
    const parts = path.text.split('.');
    const found = after(parts.slice(0, -1), vocabulary);
    return { from: path.to - (parts.at(-1)?.length ?? 0), options: found.map((fact) => ({ label: fact.name, detail: fact.optional ? `${fact.type}, may be missing` : fact.type, type: 'property' })), validFor: /^\w*$/ };
  }
  for (const [start, names] of [[/Group::"[^"]*/, groups], [/Site::"[^"]*/, sites], [/@profile\("[^"]*/, profiles]] as const) {
    const text = context.matchBefore(start);
    if (text) return { from: text.from + text.text.lastIndexOf('"') + 1, options: names.map((label) => ({ label, type: 'constant' })), validFor: /^[^"]*$/ };
  }
  const word = context.matchBefore(/@?\w+/);
  if (!word && !context.explicit) return null;
  const words = ['permit', 'forbid', 'when', 'unless', 'principal', 'action', 'resource', 'context', '@id', '@order', '@profile', '@accept', 'has', 'in', 'is', 'like'];
  return {
    from: word?.from ?? context.pos,
    options: [...words.map((label) => ({ label, type: 'keyword' })), ...vocabulary.entities.map((label) => ({ label, apply: `${label}::`, type: 'type' }))],
    validFor: /^@?\w*$/,
  };
};

export interface Known {
  vocabulary: Vocabulary;
  groups: string[];
  sites: string[];
  profiles: string[];
}

interface Props {
  label: string;
  language: keyof typeof LANGUAGES;
  text: string;
  set: (text: string) => void;
  marks?: Mark[];
  known?: Known;
  /// A line that is wanted in view, from 1.
  line?: number;
  readOnly?: boolean;
}

const NOTHING: Known = { vocabulary: { entities: [], records: new Map() }, groups: [], sites: [], profiles: [] };

export default function Editor({ label, language, text, set, marks, known, line, readOnly = false }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef({ set, known: known ?? NOTHING });
  latest.current = { set, known: known ?? NOTHING };
  useEffect(() => {
    if (!place.current) return;
    const extensions: Extension[] = [
      EditorView.cspNonce.of(nonce()),
      lineNumbers(),
      history(),
      drawSelection(),
      highlightActiveLine(),
      bracketMatching(),
      closeBrackets(),
      LANGUAGES[language],
      syntaxHighlighting(colours),
      lintGutter(),
      EditorView.lineWrapping,
      EditorState.readOnly.of(readOnly),
      EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
      ...(language === 'cedar' ? [autocompletion({ override: [completion(() => latest.current.known)], activateOnTyping: true })] : []),
      keymap.of([...completionKeymap, ...historyKeymap, indentWithTab, ...defaultKeymap]),
      EditorView.updateListener.of((update) => { if (update.docChanged) latest.current.set(update.state.doc.toString()); }),
    ];
    view.current = new EditorView({ parent: place.current, state: EditorState.create({ doc: text, extensions }) });
    return () => view.current?.destroy();
    // The text is the editor's own while it is there; what comes from elsewhere is put in below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [language, label, readOnly]);
  useEffect(() => {
    const it = view.current;
    if (it && it.state.doc.toString() !== text) it.dispatch({ changes: { from: 0, to: it.state.doc.length, insert: text } });
  }, [text]);
  useEffect(() => {
    const it = view.current;
    if (!it) return;
    const found = (marks ?? []).filter((mark) => mark.line >= 1 && mark.line <= it.state.doc.lines);
    const diagnostics: Diagnostic[] = found.map(({ line: n, message, severity }) => {
      const of = it.state.doc.line(n);
      return { from: of.from, to: of.to, message, severity };
    });
    it.dispatch(setDiagnostics(it.state, diagnostics));
  }, [marks, text]);
  useEffect(() => {
    const it = view.current;
    if (!it || !line || line > it.state.doc.lines) return;
    const at = it.state.doc.line(line).from;
    it.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
    it.focus();
  }, [line]);
  return <div ref={place} className="editor" data-testid={`editor-${language}`} />;
}
