/** `gsva chat`: questions about a picture in several rounds, in the terminal or from a pipe. */
import { createInterface, type Interface } from 'node:readline/promises';
import { UserError } from '../../errors.js';
import { modelSentence } from '../../inference/reply.js';
import { didYouMean } from '../../nearest-name.js';
import { packagedPath } from '../../program.js';
import type { Chat } from '../../workflows/chat.js';
import { bareText, nextFolder } from '../../workflows/segment-files.js';
import { type CommandContext, defineCommand } from '../command.js';
import { FIGURES, figuresOf, withRle } from '../findings.js';
import { MODEL_OPTIONS, trainedModel } from '../options/model.js';
import { option } from '../options/option.js';
import { hardwareOf, PRECISION_OPTION, REJECT_THRESHOLD_OPTION } from '../options/shared.js';
import { INPUT_PATH, requireFile, TEXT, wholeNumber } from '../options/values.js';

export const command = defineCommand({
  options: {
    image: option('Picture to talk about (JPEG, PNG, WebP, ...); /image PATH takes another', INPUT_PATH),
    ...MODEL_OPTIONS,
    precision: PRECISION_OPTION,
    'reject-threshold': REJECT_THRESHOLD_OPTION,
    'max-tokens': option('Tokens after which an answer is cut off (default: 512)', wholeNumber(1)),
    out: option('Folder for the masks of every answer, in 01, 02, ...; without it /save writes them', TEXT),
  },
  examples: {
    'gsva chat --image photo.jpg': 'ask in the terminal; /help lists what else can be typed',
    'gsva chat --image photo.jpg --json < questions.txt': 'a question per line, a JSON object per answer',
  },
  async run(args, context) {
    if (args.image !== undefined) requireFile('--image', args.image);
    const { Chat } = await import('../../workflows/chat.js');
    const chat = await Chat.open({ ...args, model: trainedModel(args), engine: hardwareOf(args), ...context });
    try {
      if (args.image !== undefined) await chat.show(args.image, context.signal);
      return await new Talk(chat, args, context).run();
    } finally {
      chat.dispose();
    }
  },
});

/** [argument, purpose] by name. */
const COMMANDS = {
  '/image': ['PATH', 'take another picture; a new conversation begins'],
  '/new': ['', 'begin a new conversation about the same picture'],
  '/save': ['[FOLDER]', 'write the masks of the last answer and the picture with them'],
  '/history': ['', 'print the questions and answers of this conversation'],
  '/help': ['', 'print this list'],
  '/quit': ['', 'leave; so does Ctrl-D'],
} as const;
const NAMES = Object.keys(COMMANDS) as (keyof typeof COMMANDS)[];
/** Parent of the folders that /save writes where --out names none. */
const SAVED = 'chat';
/** Exit code of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;
/** Share of the positions left from which on the user hears of it. */
const FEW_LEFT = 1 / 8;

class Talk {
  /** Stops the present work; null while a line is waited for. */
  private stop: AbortController | null = null;
  /** Ctrl-C since the last line. */
  private interrupts = 0;
  private hasFailed = false;

  constructor(
    private readonly chat: Chat,
    private readonly args: { readonly out: string | undefined; readonly maxTokens: number | undefined },
    private readonly context: CommandContext,
  ) {}

  /** @returns the exit code: 1 where a line of a script failed */
  async run(): Promise<number> {
    const { input, signal, onNote } = this.context;
    const isTyped = input.echo !== null;
    const typing = isTyped ? { output: input.echo, terminal: true, prompt: '> ' } : {};
    const lines = createInterface({ input: input.stream, crlfDelay: Infinity, signal, ...typing });
    lines.on('SIGINT', () => {
      this.interrupt(lines);
    });
    const ask = (): void => {
      if (isTyped && this.interrupts < 2) lines.prompt();
    };
    if (isTyped) onNote(`${modelSentence(this.chat.model)}. /help lists what can be typed.`);
    ask();
    for await (const line of lines) {
      this.interrupts = 0;
      const isOver = await this.hear(line.trim());
      if (isOver) break;
      ask();
    }
    lines.close();
    signal.throwIfAborted();
    if (this.interrupts > 1) return INTERRUPTED;
    return this.hasFailed && !isTyped ? 1 : 0;
  }

  /** The first Ctrl-C stops the present work; the second leaves. */
  private interrupt(lines: Interface): void {
    this.interrupts++;
    if (this.interrupts > 1) lines.close();
    else if (this.stop === null) {
      this.context.onNote('\nCtrl-C once more leaves');
      lines.prompt();
    } else this.stop.abort();
  }

  /** @returns whether the conversation is over */
  private async hear(line: string): Promise<boolean> {
    const { output, signal, onNote } = this.context;
    const stop = new AbortController();
    this.stop = stop;
    const either = AbortSignal.any([signal, stop.signal]);
    try {
      if (line.startsWith('/')) return await this.obey(line, either);
      if (line !== '') await this.answer(line, either);
    } catch (error) {
      if (stop.signal.aborted && !signal.aborted && error === either.reason) {
        output.part('\n');
        onNote('stopped; this is no part of the conversation');
      } else if (error instanceof UserError) {
        this.hasFailed = true;
        onNote(error.message);
        output.json({ question: line, error: { code: error.code, message: error.message } });
      } else throw error;
    } finally {
      this.stop = null;
    }
    return false;
  }

  private async obey(line: string, signal: AbortSignal): Promise<boolean> {
    const { output } = this.context;
    const [word = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(line)?.slice(1) ?? [];
    const name = NAMES.find((known) => known === word);
    if (name === undefined)
      throw new UserError(`There is no command ${word}${didYouMean(word, NAMES)}. /help lists them.`, 'bad-option');
    const argument = rest.replace(/^(["'])(.*)\1$/, '$2');
    const [of] = COMMANDS[name];
    if (of === 'PATH' && argument === '') throw new UserError(`${name} needs the ${of} of a picture.`, 'bad-option');
    if (of === '' && argument !== '')
      throw new UserError(`${name} stands alone; found "${argument}" behind it.`, 'bad-option');
    switch (name) {
      case '/image': {
        const path = packagedPath(argument);
        requireFile('/image', path);
        await this.chat.show(path, signal);
        break;
      }
      case '/save': {
        const written = await this.chat.save(argument === '' ? nextFolder(this.args.out ?? SAVED) : argument);
        for (const path of written) output.line(path);
        output.json({ written });
        break;
      }
      case '/new':
        this.chat.restart();
        break;
      case '/history':
        for (const [i, { question, text }] of this.chat.history.entries()) {
          output.line(`${i + 1}. ${question}`);
          output.line(`   ${text}`);
        }
        output.json({ history: this.chat.history.map(({ question, text }) => ({ question, answer: text })) });
        break;
      case '/help': {
        const rows = Object.entries(COMMANDS).map(([command, [argument, to]]) => [`${command} ${argument}`, to]);
        output.table(['type', 'to'], [['a question', 'ask it'], ...rows]);
        break;
      }
      case '/quit':
        return true;
    }
    return false;
  }

  private async answer(question: string, signal: AbortSignal): Promise<void> {
    const { args, chat, context } = this;
    const { output, onNote } = context;
    let printed = '';
    const onToken = (answer: string): void => {
      // An unfinished character, or words that the next token changes, wait.
      const isReady = answer.startsWith(printed) && !answer.endsWith('\ufffd');
      if (isReady && output.part(answer.slice(printed.length))) printed = answer;
    };
    const reply = await chat.ask(question, { maxTokens: args.maxTokens, signal, onToken });
    const { text, findings, end, read, left } = reply;
    const rest = text.startsWith(printed) ? text.slice(printed.length) : `\n${text}`;
    output.line(rest);
    if (findings.length > 0) {
      const rows = findings.map((finding) => [bareText(finding), ...figuresOf(finding)]);
      output.table(['text', ...FIGURES], rows);
    }
    const written = args.out === undefined || findings.length === 0 ? [] : await chat.save(nextFolder(args.out));
    for (const path of written) output.line(path);
    const image = chat.picture;
    output.json({ image, question, answer: text, findings: findings.map(withRle), end, read, left, written });
    const all = `${chat.positions} positions that this model has`;
    const advice = '/new begins a new conversation';
    if (end === 'max-tokens') onNote('the answer is cut off; --max-tokens allows longer ones');
    if (end === 'positions') onNote(`the answer is cut off: the conversation takes all ${all}; ${advice}`);
    else if (left < chat.positions * FEW_LEFT) onNote(`${left} are left of the ${all}; ${advice}`);
  }
}
