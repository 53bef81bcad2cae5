-- Records an event that an older owner noticed while Redis was away, unless a newer owner has told
-- of the same defect. From its claim on, the newer owner's word counts.
-- uses: claims incidents
--
-- KEYS  1 claims  2 open  3 open of the stream  4 incidents of the stream  5 events  6 term
-- ARGV  1 to 13 as of publish; 9, the recovery, also of an opened event if the older owner noticed
--       it, else -1: for all that is known it lasts
--       14 ms after the newer claim in which what begins may be what was open before
-- Returns {'recorded'}
--         {'seen'}: this revision, or a later one, is recorded
--         {'merged', incident}: it is that incident's, or '': the newer owner was there all the time
--         {'earlier', onset in ms} | {'adopt', …} | {'blank'}: as of publish
-- An incident that the newer owner began later than the older one gets the earlier onset.
if is_blank(KEYS[6]) then
  return {'blank'}
end
local told, keys = told_event(1), event_keys(2)
local claim = read_claim(KEYS[1], told.stream)
local newer_ms = newer_claim_ms(claim, told.epoch, told.worker, told.incarnation)
local this_claim = claim and claim.epoch .. '@' .. claim.incarnation or '-'

-- Whether a known incident is the defect that is told of.
local function is_same(known)
  if known.track ~= told.track or not is_own(known) then
    return false
  end
  if known.recovery_ms >= 0 and known.recovery_ms < told.onset_ms then
    return false
  end
  if told.recovery_ms >= 0 then
    return known.onset_ms <= told.recovery_ms
  end
  return not newer_ms or known.onset_ms <= newer_ms + tonumber(ARGV[14])
end

-- The earliest of them, where there are several.
local function find_same()
  local id, same
  local flat = redis.call('HGETALL', keys.incidents_of)
  for index = 1, #flat, 2 do
    local known = parse_known(flat[index + 1])
    if is_same(known) and (not same or known.onset_ms < same.onset_ms) then
      id, same = flat[index], known
    end
  end
  return id, same
end

local function move_onset(id, known)
  if known.onset_ms <= told.onset_ms then
    return
  end
  known.onset_ms = told.onset_ms
  write_known(keys.incidents_of, id, known)
  local open = redis.call('HGET', keys.open, id)
  if open then
    local moved = string.gsub(open, '^{"onset_ms":%-?%d+', '{"onset_ms":' .. ARGV[8], 1)
    redis.call('HSET', keys.open, id, moved)
  end
end

local known = read_known(keys.incidents_of, told.id)
if known then
  if not is_own(known) then
    return answer_other(keys, known)
  end
  if known.state == 'closed' or known.revision >= told.revision then
    return {'seen'}
  end
  local is_newers = newer_ms and (known.epoch > told.epoch or known.late ~= this_claim)
  if is_newers and redis.call('HEXISTS', keys.open, told.id) == 1 then
    return {'merged', told.id}  -- it was there to be adopted
  end
  if known.onset_ms < told.onset_ms then
    return {'earlier', known.onset_ms}
  end
  record_event(keys, told, known, known.late)
  return {'recorded'}
end
if newer_ms and told.onset_ms >= newer_ms then
  return note_merged(keys, told, '')
end
local id, same = find_same()
if id then
  append_event(keys.events, told, id)
  move_onset(id, same)
  return note_merged(keys, told, id)
end
record_event(keys, told, nil, newer_ms and this_claim)
return {'recorded'}
