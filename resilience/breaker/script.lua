-- What the fleet knows of its breakers; resilience/breaker/board.py says the same in Python, and a test
-- holds the two beside each other. One call a beat and process, for all of its breakers.
-- ARGV: the process, its reports (JSON). Times are milliseconds of this server's clock; answers are relative.
local process = ARGV[1]
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(tonumber(time[2]) / 1000)
local KEEP_MS = 86400000
local SILENCE_MS = 750
local REPORTING_MS = 30000
local BUCKETS = 10

local function take(report)
  local key = 'hf:breaker:' .. report.name
  local leases, reporting, failing = key .. ':leases', key .. ':reporting', key .. ':failing'
  local flat = redis.call('HGETALL', key)
  local have = {}
  for i = 1, #flat, 2 do have[flat[i]] = flat[i + 1] end
  local new = {}
  local function get(field) return tonumber(new[field] or have[field] or '0') end
  local function put(field, value) new[field] = tostring(value) end
  local state = have.state or 'closed'
  local version = get('version')

  local silent_ms = report.is_member and now - (tonumber(have.heard or now)) or 0
  if report.is_member then put('heard', now) end
  local lease_until = now + report.lease_ms
  if silent_ms < -SILENCE_MS then
    -- The clock was set back, or another server's took over: what is noted would hold for so much longer.
    for _, field in ipairs({ 'since', 'until', 'wished', 'streak_since' }) do
      if have[field] then put(field, get(field) + silent_ms) end
    end
    for _, set in ipairs({ reporting, failing }) do
      for _, worker in ipairs(redis.call('ZRANGEBYSCORE', set, now, '+inf')) do
        redis.call('ZADD', set, now, worker)
      end
    end
  end
  if math.abs(silent_ms) > SILENCE_MS then
    for _, token in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
      redis.call('ZADD', leases, lease_until, token)
    end
  end
  for _, token in ipairs(report.held) do redis.call('ZADD', leases, lease_until, token) end
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)

  for _, ended in ipairs(report.ended) do
    local is_known = redis.call('ZREM', leases, ended[1]) == 1
    local is_of_this_round = tonumber(string.match(ended[1], '#(%d+)$')) == version
    if is_known and is_of_this_round and ended[2] ~= 0 then
      local field = ended[2] == 1 and 'passed' or 'failed'
      put(field, get(field) + 1)
    end
  end

  if report.is_member and (report.version >= version or state == 'closed') then
    local index = second % BUCKETS
    local is_same_second = get('k' .. index) == second
    put('k' .. index, second)
    for field, count in pairs({ t = report.total, f = report.failures, s = report.slow }) do
      put(field .. index, (is_same_second and get(field .. index) or 0) + count)
    end
    if report.has_answer and now - report.answered_ago_ms >= get('streak_since') then put('streak', 0) end
    if report.streak > 0 and get('streak') == 0 then put('streak_since', now - report.streak_ago_ms) end
    put('streak', get('streak') + report.streak)
    if report.wish_ms > 0 then put('wished', math.max(get('wished'), now + report.wish_ms)) end
    for set, is_one in pairs({ [reporting] = report.is_reporting, [failing] = report.is_failing }) do
      if is_one then
        redis.call('ZADD', set, now, process)
      else
        redis.call('ZREM', set, process)
      end
      redis.call('ZREMRANGEBYSCORE', set, '-inf', now - REPORTING_MS)
      redis.call('PEXPIRE', set, KEEP_MS)
    end
  end

  local is_moved = false
  local move = report.proposal
  if move and move.expected == version then
    is_moved = true
    state, version = move.state, move.version
    new.state, new.reason = state, move.reason
    put('version', version)
    put('since', now)
    put('until', now + move.lasts_ms)
    put('wait', move.wait_ms)
    put('passed', 0)
    put('failed', 0)
    if state ~= 'closed' then
      for index = 0, BUCKETS - 1 do put('k' .. index, 0) end
      put('streak', 0)
      redis.call('DEL', failing)
    end
  end

  local granted = {}
  while state == 'half_open' and get('failed') == 0 and get('passed') < report.probes_needed
    and #granted < report.wanted and redis.call('ZCARD', leases) < report.probes_at_once do
    put('granted', get('granted') + 1)
    local token = process .. '#' .. new.granted .. '#' .. version
    redis.call('ZADD', leases, lease_until, token)
    table.insert(granted, token)
  end
  if #granted > 0 or #report.held > 0 then redis.call('PEXPIRE', leases, KEEP_MS) end

  local fields = {}
  for field, value in pairs(new) do
    table.insert(fields, field)
    table.insert(fields, value)
  end
  if #fields > 0 then
    redis.call('HSET', key, unpack(fields))
    redis.call('PEXPIRE', key, KEEP_MS)
  end
  if report.is_member then redis.call('ZADD', 'hf:breakers', now, report.name) end

  local total, failures, slow = 0, 0, 0
  for index = 0, BUCKETS - 1 do
    local stamp = get('k' .. index)
    if stamp > second - BUCKETS and stamp <= second then
      total = total + get('t' .. index)
      failures = failures + get('f' .. index)
      slow = slow + get('s' .. index)
    end
  end
  return {
    name = report.name, state = state, version = version, is_moved = is_moved,
    reason = new.reason or have.reason or '',
    since_ms = get('since') - now, until_ms = get('until') - now, wait_ms = get('wait'),
    total = total, failures = failures, slow = slow, streak = get('streak'),
    failing = redis.call('ZCARD', failing), reporting = redis.call('ZCARD', reporting),
    failing_names = redis.call('ZRANGE', failing, 0, 9),
    passed = get('passed'), failed = get('failed'), wish_ms = math.max(0, get('wished') - now),
    leases = granted,
  }
end

local answers = {}
for _, report in ipairs(cjson.decode(ARGV[2])) do table.insert(answers, take(report)) end
return cjson.encode(answers)
