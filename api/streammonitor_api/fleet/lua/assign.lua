-- Changes the assignments of one worker, all or none, and hands out epochs.
-- uses: term claims
--
-- KEYS  1 term  2 assignments of the worker  3 revisions  4 epochs  5 claims
-- ARGV  1 term  2 worker, then changes of six: what, stream, spec revision, overlap in ms, epoch,
--       condition. What is one of
--         assign    at a new epoch: above the given one and all that were handed out or claimed
--         keep      at the given epoch
--         withdraw  with the condition `unless_claimed`: only if the worker has not claimed it
-- Returns {'ok', revision, {epoch of each change; 0: withdrawn, -1: not, as it is claimed}}
--         {'lost'} | {'fenced', term, name}
-- The revision is new only if something changed, and never one that was there before.
local refusal = refuse_term(KEYS[1], ARGV[1])
if refusal then
  return refusal
end
local worker, changed, epochs = ARGV[2], false, {}

local function put(stream, epoch, overlap_ms, spec_revision)
  local text = table.concat({epoch, overlap_ms, spec_revision}, ' ')
  if redis.call('HGET', KEYS[2], stream) ~= text then
    redis.call('HSET', KEYS[2], stream, text)
    changed = true
  end
end

local function highest(stream)
  local claim = read_claim(KEYS[5], stream)
  local handed = tonumber(redis.call('HGET', KEYS[4], stream) or 0)
  return math.max(handed, claim and claim.epoch or 0)
end

local function withdraw(stream, unless_claimed)
  local text = redis.call('HGET', KEYS[2], stream)
  if not text then
    return 0
  end
  local claim = read_claim(KEYS[5], stream)
  if unless_claimed and claim and claim.worker == worker
    and claim.epoch == tonumber(string.match(text, '^%d+')) then
    return -1
  end
  redis.call('HDEL', KEYS[2], stream)
  changed = true
  return 0
end

for index = 3, #ARGV, 6 do
  local what, stream, spec_revision, overlap_ms, epoch, condition = unpack(ARGV, index, index + 5)
  epoch = tonumber(epoch)
  if what == 'withdraw' then
    epoch = withdraw(stream, condition == 'unless_claimed')
  else
    local before = highest(stream)
    if what == 'assign' then
      epoch = math.max(before, epoch) + 1
    end
    if epoch > before then
      redis.call('HSET', KEYS[4], stream, epoch)
    end
    put(stream, epoch, overlap_ms, spec_revision)
  end
  epochs[#epochs + 1] = epoch
end

local revision = tonumber(redis.call('HGET', KEYS[3], worker) or 0)
if changed or revision == 0 then
  -- The clock makes it differ also from the revisions of a Redis that lost its data.
  revision = math.max(revision + 1, now_ms())
  redis.call('HSET', KEYS[3], worker, string.format('%d', revision))
end
return {'ok', revision, epochs}
