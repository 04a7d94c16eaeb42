/** The last so many ids that were added; the oldest go first. */
export class RecentIds {
  private readonly capacity: number;
  private readonly ids = new Set<string>();

  /** @param capacity minimum 1 */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add(id: string): void {
    this.ids.delete(id);
    this.ids.add(id);
    if (this.ids.size <= this.capacity) return;
    for (const oldest of this.ids) {
      this.ids.delete(oldest);
      return;
    }
  }
}
