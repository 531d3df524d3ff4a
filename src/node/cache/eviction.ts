/**
 * Which cores give way to a new one. Pure.
 *
 * One owner's crash loop must not drop what others have not saved yet. So room is made where most is held, the new dump
 * counted to its own owner: the owner that holds most loses its oldest first, and none loses anything to an owner that would
 * then hold more. And while others hold something too, an owner's own older cores make room for its new ones beyond its share:
 * what is being copied or uploaded cannot give way, and would else be all of the cache.
 */
import type { DumpRecord } from "../../domain/dump.ts";

/** A dump that takes room. */
export interface Holding {
  readonly id: string;
  /** As `ownerGroup()` names it. */
  readonly owner: string;
  /** On the disk, or promised where that is more. */
  readonly bytes: bigint;
  /** Whether it can give way: not while it is captured or worked on. */
  readonly evictable: boolean;
}

interface Need {
  /** Of the new dump. */
  readonly owner: string;
  /** What it wants beyond what it has already. */
  readonly wantedBytes: bigint;
  /** What there is without any eviction; below zero when limits are exceeded. */
  readonly roomBytes: bigint;
  /** What one owner may hold before its own cores give way. */
  readonly shareBytes: bigint;
}

/** Who shares a fate: a namespace's pods; of all others those of one kind. */
export const ownerGroup = ({ owner, pod }: Pick<DumpRecord, "owner" | "pod">): string =>
  owner === "pod" && pod ? `pod/${pod.namespace}` : owner;

/**
 * @param holdings  all of them, the oldest first
 * @returns those to be evicted, in this order; none when even so there would not be room
 */
export function victimsFor(holdings: readonly Holding[], need: Need): Holding[] {
  const owners = new Map<string, Owner>([[need.owner, { totalBytes: need.wantedBytes, evictable: [], next: 0 }]]);
  for (const holding of holdings) add(owners, holding);
  const own = ownerIn(owners, need.owner);
  const victims: Holding[] = [];
  let roomBytes = need.roomBytes;
  const take = (owner: Owner): void => {
    const victim = owner.evictable[owner.next++];
    if (!victim) return;
    victims.push(victim);
    owner.totalBytes -= victim.bytes;
    roomBytes += victim.bytes;
  };
  const isShared = [...owners.values()].some((owner) => owner !== own && owner.totalBytes > 0n);
  while (isShared && own.totalBytes > need.shareBytes && hasMore(own)) take(own);
  while (roomBytes < need.wantedBytes) {
    const most = holdsMost(owners, own);
    if (!most) return [];
    take(most);
  }
  return victims;
}

interface Owner {
  totalBytes: bigint;
  readonly evictable: Holding[];
  next: number;
}

const hasMore = ({ evictable, next }: Owner): boolean => next < evictable.length;

function add(owners: Map<string, Owner>, holding: Holding): void {
  const owner = ownerIn(owners, holding.owner);
  owner.totalBytes += holding.bytes;
  if (holding.evictable) owner.evictable.push(holding);
}

function ownerIn(owners: Map<string, Owner>, name: string): Owner {
  const known = owners.get(name) ?? { totalBytes: 0n, evictable: [], next: 0 };
  owners.set(name, known);
  return known;
}

/** Who can give way and holds most; of others only one that holds more than the new dump's owner would. */
function holdsMost(owners: ReadonlyMap<string, Owner>, own: Owner): Owner | undefined {
  let most: Owner | undefined = hasMore(own) ? own : undefined;
  for (const owner of owners.values()) {
    if (hasMore(owner) && owner.totalBytes > (most ?? own).totalBytes) most = owner;
  }
  return most;
}

/** So many of `items` (the oldest first), each of the owner that has most of them then: its oldest. */
export function oldestOfMost<T>(items: readonly T[], ownerOf: (item: T) => string, count: number): T[] {
  const queues = [...Map.groupBy(items, ownerOf).values()].map((all) => ({ all, next: 0 }));
  const left = ({ all, next }: (typeof queues)[number]): number => all.length - next;
  return Array.from({ length: Math.min(count, items.length) }, () => {
    const most = queues.reduce((a, b) => (left(b) > left(a) ? b : a));
    return most.all[most.next++] as T;
  });
}
