/** A model that answers questions about pictures in several rounds, and the files that show its answers. */
import { existsSync } from 'node:fs';
import { UserError } from '../errors.js';
import { type ChatOptions, type ChatReply, ChatSession } from '../inference/conversation.js';
import type { Predictor } from '../inference/predictor.js';
import type { AnsweringModel } from '../inference/reply.js';
import { readImage } from '../io/image/image-file.js';
import type { RgbImage } from '../types.js';
import { type AskOptions, loadTrained, startNoted } from './engine.js';
import { bareText, writeResults } from './segment-files.js';

interface Shown {
  readonly path: string;
  readonly image: RgbImage;
  readonly session: ChatSession;
}

export class Chat {
  private shown: Shown | null = null;
  /** Rounds of the present conversation. */
  private replies: ChatReply[] = [];

  private constructor(private readonly predictor: Predictor) {}

  static async open(options: AskOptions): Promise<Chat> {
    await startNoted(options.engine, options);
    return new Chat(await loadTrained('Chatting', options));
  }

  get model(): AnsweringModel {
    return this.predictor.model;
  }

  get positions(): number {
    return this.predictor.network.positions;
  }

  /** Path of the picture, null as long as there is none. */
  get picture(): string | null {
    return this.shown?.path ?? null;
  }

  get history(): readonly ChatReply[] {
    return this.replies;
  }

  /** Takes another picture, and begins a new conversation. The one before stays where the picture cannot be read. */
  async show(path: string, signal?: AbortSignal): Promise<void> {
    const image = await readImage(path);
    const [encoded] = await this.predictor.encode([image], signal);
    if (encoded === undefined) throw new Error('Chat.show: the image was not encoded');
    this.shown?.session.dispose();
    this.shown = { path, image, session: new ChatSession(this.predictor, encoded) };
    this.replies = [];
  }

  /** @throws UserError for a question that cannot be asked; the signal's reason */
  async ask(question: string, options: ChatOptions): Promise<ChatReply> {
    const reply = await this.present().session.ask(question, options);
    this.replies.push(reply);
    return reply;
  }

  restart(): void {
    this.shown?.session.restart();
    this.replies = [];
  }

  /**
   * Writes the picture with the masks of the last reply, and each mask.
   * @param folder that does not exist; or a picture NAME.png, .jpg, .webp, for the coloured picture alone
   * @returns paths of the files written
   */
  async save(folder: string): Promise<readonly string[]> {
    const { path, image } = this.present();
    const reply = this.replies.at(-1);
    if (reply === undefined) throw new UserError('Saving masks: nothing has been asked yet.');
    const { question, text: answer, findings } = reply;
    if (findings.length === 0)
      throw new UserError('Saving masks: the last answer decides about nothing, so it has none.');
    if (existsSync(folder)) throw new UserError(`Saving masks: ${folder} exists. Name a new folder.`);
    const results = findings.map((finding) => {
      // The only decision is about what was asked; one of several about the words before it.
      return { ...finding, expression: findings.length === 1 ? question : bareText(finding) };
    });
    const shown = { question, answer, results, unmatched: [], model: this.model };
    return writeResults({ path: folder, format: 'png' }, path, image, shown);
  }

  dispose(): void {
    this.shown?.session.dispose();
    this.predictor.dispose();
  }

  private present(): Shown {
    if (this.shown !== null) return this.shown;
    throw new UserError('Asking: there is no picture yet. Name one: /image PATH.');
  }
}
