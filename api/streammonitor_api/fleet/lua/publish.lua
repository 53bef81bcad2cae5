-- Records an event of the stream's owner, once.
-- uses: claims incidents
--
-- KEYS  1 claims  2 open  3 open of the stream  4 incidents of the stream  5 events  6 term
-- ARGV  1 stream  2 epoch  3 worker  4 incarnation  5 incident  6 revision
--       7 kind: opened, updated or closed  8 onset in ms  9 when it was over in ms, or -1: also
--       of an opened or updated event where that is known by now
--       10 track: `detector track name`  11 event as JSON
--       12 targets to notify as JSON, or ''  13 events to keep in the history
-- Returns {'recorded'}
--         {'seen'}: this revision, or a later one, is recorded
--         {'merged', incident}: it was merged into that one, or into none that is kept
--         {'adopt', incident, its revision then, its onset in ms, that incident as JSON or ''}:
--           the track had that incident open when this one began; tell it under that id, revision
--           n of this one as that one's revision then + n
--         {'earlier', onset in ms}: the incident began earlier than this event says
--         {'fenced', epoch, worker}: somebody else owns the stream
--         {'blank'}: Redis lost all it knew, and the operator has not written it back
--         {'unclaimed'}: nobody is known to own it at this epoch
local SEEN_LATE_MS = 2000  -- by which two workers may differ in when the same picture was
if is_blank(KEYS[6]) then
  return {'blank'}
end
local told, keys = told_event(1), event_keys(2)
local claim = read_claim(KEYS[1], told.stream)
if claim and claim.epoch > told.epoch then
  return {'fenced', claim.epoch, claim.worker}
end
if not claim or claim.epoch < told.epoch or claim.worker == '-' then
  return {'unclaimed'}
end
if claim.worker ~= told.worker or claim.incarnation ~= told.incarnation then
  return {'fenced', claim.epoch, claim.worker}
end

-- An incident that is over, and that the owner before told after this one had claimed: who begins
-- further back sees it again, and did not read of it with the claim.
local function find_late()
  if told.onset_ms >= claim.claimed_ms then
    return nil
  end
  local this_claim, id, onset_ms = claim.epoch .. '@' .. claim.incarnation, nil, nil
  local flat = redis.call('HGETALL', keys.incidents_of)
  for index = 1, #flat, 2 do
    local known = parse_known(flat[index + 1])
    if known.state == 'closed' and known.late == this_claim and known.track == told.track
        and known.onset_ms - SEEN_LATE_MS <= told.onset_ms and told.onset_ms <= known.recovery_ms
        and (not id or known.onset_ms < onset_ms) then
      id, onset_ms = flat[index], known.onset_ms
    end
  end
  return id
end

local known = read_known(keys.incidents_of, told.id)
if known then
  if not is_own(known) then
    return answer_other(keys, known)
  end
  if known.state == 'closed' or known.revision >= told.revision then
    return {'seen'}
  end
  if known.onset_ms < told.onset_ms then
    return {'earlier', known.onset_ms}
  end
else
  local other = open_on(keys, told.track)
  if other and not was_over(told, read_known(keys.incidents_of, other)) then
    return adopt_into(keys, told, other)
  end
  local late = find_late()
  if late then
    append_event(keys.events, told, late)
    return note_merged(keys, told, late)
  end
end
record_event(keys, told, known)
return {'recorded'}
