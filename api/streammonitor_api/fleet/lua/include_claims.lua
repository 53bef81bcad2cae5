-- A claim is stored as `epoch worker incarnation claimed_ms history`; worker and incarnation are
-- `-` once it was released. The history tells when the claims before were made, as `epoch:ms,…`.
local function read_claim(key, stream)
  local text = redis.call('HGET', key, stream)
  if not text then
    return nil
  end
  local epoch, worker, incarnation, claimed_ms, history =
    string.match(text, '^(%d+) (%S+) (%S+) (%d+) ?(.*)$')
  return {
    epoch = tonumber(epoch), worker = worker, incarnation = incarnation,
    claimed_ms = tonumber(claimed_ms), history = history,
  }
end

local function write_claim(key, stream, claim)
  redis.call('HSET', key, stream, table.concat(
    {claim.epoch, claim.worker, claim.incarnation, claim.claimed_ms, claim.history}, ' '))
end

-- Whether nothing may be taken from workers: no operator began a term, or the one that did has
-- some time to write back what Redis lost. What they tell again would be taken for new.
local function is_blank(key)
  local term = redis.call('HMGET', key, 'term', 'restoring_until_ms')
  return not term[1] or now_ms() < tonumber(term[2] or 0)
end

-- When the first owner after this one claimed the stream, in ms; nil if there was none.
local function newer_claim_ms(claim, epoch, worker, incarnation)
  if not claim or claim.epoch < epoch then
    return nil
  end
  if claim.epoch == epoch then
    local same = claim.worker == '-' or
      (claim.worker == worker and claim.incarnation == incarnation)
    return not same and claim.claimed_ms or nil
  end
  local first = claim.claimed_ms
  for other, ms in string.gmatch(claim.history, '(%d+):(%d+)') do
    if tonumber(other) > epoch and tonumber(ms) < first then
      first = tonumber(ms)
    end
  end
  return first
end
