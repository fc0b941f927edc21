/**
 * Visual question answering in the layout of LLaVA-Instruct-150K: a conversation for each picture. The held-out part is
 * a list of questions with one-word answers (../../vqa/vqa-questions.ts).
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../random.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import { sceneQuestions } from '../scene-questions.js';
import type { Scene } from '../scene.js';
import { jsonLinesList, type MixturePart, type SetWriter } from './set-writer.js';

const QUESTIONS_PER_IMAGE = 6;
const FOLDERS: Readonly<Record<MixturePart, string>> = { train: 'train2017', val: 'val2017' };

export class VqaWriter implements SetWriter {
  readonly scenes = { train: 'vqa', val: 'vqa-val' } as const;
  private readonly conversations: unknown[] = [];
  private readonly questions: unknown[] = [];

  constructor(private readonly root: string) {
    for (const folder of Object.values(FOLDERS)) mkdirSync(join(root, 'coco', folder), { recursive: true });
    mkdirSync(join(root, 'llava_dataset'), { recursive: true });
  }

  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null {
    const asked = sceneQuestions(scene, random, QUESTIONS_PER_IMAGE);
    if (asked.length === 0) return null;
    const id = String(index).padStart(12, '0');
    const image = `${id}.jpg`;
    if (part === 'train') {
      const conversations = asked.flatMap(({ question, answer }, i) => [
        { from: 'human', value: i === 0 ? `${IMAGE_PLACEHOLDER}\n${question}` : question },
        { from: 'gpt', value: answer },
      ]);
      this.conversations.push({ id, image, conversations });
    } else {
      for (const { kind, question, answer } of asked) {
        this.questions.push({ question_id: this.questions.length, image, text: question, answer, category: kind });
      }
    }
    return join('coco', FOLDERS[part], image);
  }

  finish(): void {
    const folder = join(this.root, 'llava_dataset');
    writeFileAtomic(join(folder, 'llava_instruct_150k.json'), jsonLinesList(this.conversations));
    writeFileAtomic(join(folder, 'questions_val.json'), jsonLinesList(this.questions));
  }
}
