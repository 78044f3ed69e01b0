import RESP

extension Scripts {
    /// The log's clock: an argument in tests, else that of Redis.
    private static let clock = """
        local function clock(given) if given ~= '' then return tonumber(given) end return now() end

        """

    /// How a write for a session begins. KEYS: session first. ARGV: prefix, incarnation and epoch of the caller first. Ends with `missing` or `fenced`
    /// unless the session is at home there.
    private static let fenced =
        common + """
            local refusal = fence(KEYS[1], ARGV[2], ARGV[3])
            if refusal then return {refusal} end

            """

    /// Adds a stream.
    ///
    /// A stream that is there as it was asked for is no other: it comes from a call whose outcome was unknown.
    /// KEYS: session, record of the stream, names of the session's streams. ARGV: prefix, incarnation and epoch of the caller,
    /// `<session>:<stream>`, name, kind, request ids, created, `1` if it has ended, newest sequence, milliseconds that the keys
    /// live, requests that may be worked on twice. Result: `ok`, `exists`, `missing` or `fenced`.
    static let open = RedisScript(
        fenced + """
            local known = redis.call('HMGET', KEYS[2], 'kind', 'created', 'requests', 'last')
            if known[1] then
              if known[1] == ARGV[6] and known[2] == ARGV[8] and known[3] == ARGV[7] and known[4] == ARGV[10] then return {'ok'} end
              return {'exists'}
            end
            redis.call('HSET', KEYS[2], 'kind', ARGV[6], 'requests', ARGV[7], 'created', ARGV[8], 'ended', ARGV[9], 'last', ARGV[10], 'bytes', '0')
            if ARGV[12] ~= '' then redis.call('HSET', KEYS[2], 'repeatable', ARGV[12]) end
            redis.call('ZADD', KEYS[3], ARGV[8], ARGV[5])
            redis.call('PEXPIRE', KEYS[2], ARGV[11])
            redis.call('PEXPIRE', KEYS[3], ARGV[11])
            if ARGV[9] == '1' then redis.call('ZADD', P .. 'aging', ARGV[8], ARGV[4]) end
            return {'ok'}
            """)

    /// Appends an event and drops the oldest ones beyond the bounds. Ids of events are `<sequence>-<milliseconds since 1970>`.
    ///
    /// KEYS: session, record of the stream, its events, streams by age. ARGV: prefix, incarnation and epoch of the caller, `1` for a repetition of
    /// a call whose outcome is unknown, `<session>:<stream>`, sequence, the sequence that must be there before (0: any), message, `1` if it
    /// ends the stream, most events, most bytes, milliseconds that the keys live, the time (empty: that of Redis).
    /// Result: `ok`, the number of events dropped, `1` or `2` (the bound that was exceeded: events, bytes), or `ok` alone for a repetition of one
    /// that is there; `missing`, `fenced`; `none` (no such stream), `ended`, `behind` and the newest sequence (not greater), `gap` (an event
    /// that was asked for before is not there yet).
    static let append = RedisScript(
        fenced + clock + """
            local r = redis.call('HMGET', KEYS[2], 'last', 'ended', 'bytes')
            if not r[1] then return {'none'} end
            local last, sequence = tonumber(r[1]), tonumber(ARGV[6])
            if sequence <= last then
              if ARGV[4] == '1' then
                local same = redis.call('XRANGE', KEYS[3], ARGV[6] .. '-0', ARGV[6] .. '-18446744073709551615')
                -- Where it is not there any more it was dropped: nothing later is taken while it has no answer (`gap`).
                if not same[1] or same[1][2][2] == ARGV[8] then return {'ok'} end
              end
              if r[2] == '1' then return {'ended'} end
              return {'behind', r[1]}
            end
            if r[2] == '1' then return {'ended'} end
            if last < tonumber(ARGV[7]) then return {'gap'} end
            local time = digits(clock(ARGV[13]))
            redis.call('XADD', KEYS[3], ARGV[6] .. '-' .. time, 'm', ARGV[8])
            local count, bytes = redis.call('XLEN', KEYS[3]), tonumber(r[3]) + #ARGV[8]
            local most, mostBytes = tonumber(ARGV[10]), tonumber(ARGV[11])
            local dropped, bound = 0, nil
            if count > most then bound = '1' elseif bytes > mostBytes then bound = '2' end
            while count > 1 and (count > most or bytes > mostBytes) do
              local kept = nil
              for _, event in ipairs(redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 32)) do
                if count <= 1 or (count <= most and bytes <= mostBytes) then kept = event[1] break end
                redis.call('XDEL', KEYS[3], event[1])
                count, bytes, dropped = count - 1, bytes - #event[2][2], dropped + 1
              end
              if kept then break end
            end
            redis.call('HSET', KEYS[2], 'last', ARGV[6], 'bytes', digits(bytes))
            if ARGV[9] == '1' then ended(KEYS[2]) end
            redis.call('ZADD', KEYS[4], 'NX', time, ARGV[5])
            redis.call('PEXPIRE', KEYS[2], ARGV[12])
            redis.call('PEXPIRE', KEYS[3], ARGV[12])
            if bound then return {'ok', dropped, bound} end
            return {'ok'}
            """)

    /// Appends events that were acknowledged before and are missing, as after the loss of a master that had not told its replica yet.
    ///
    /// KEYS: session, record of the stream, its events, streams by age. ARGV: prefix, incarnation and epoch of the caller, `<session>:<stream>`,
    /// milliseconds that the keys live, `1` if the stream has ended, then sequence and message of each event.
    /// Result: `ok` and how many were missing; `missing`, `fenced`, `none`.
    static let replay = RedisScript(
        fenced + """
            local r = redis.call('HMGET', KEYS[2], 'last', 'bytes')
            if not r[1] then return {'none'} end
            local last, bytes, added = tonumber(r[1]), tonumber(r[2]), 0
            local time = digits(now())
            for i = 7, #ARGV, 2 do
              if tonumber(ARGV[i]) > last then
                redis.call('XADD', KEYS[3], ARGV[i] .. '-' .. time, 'm', ARGV[i + 1])
                last, bytes, added = tonumber(ARGV[i]), bytes + #ARGV[i + 1], added + 1
              end
            end
            if added > 0 then
              redis.call('HSET', KEYS[2], 'last', digits(last), 'bytes', digits(bytes))
              redis.call('ZADD', KEYS[4], 'NX', time, ARGV[4])
              redis.call('PEXPIRE', KEYS[3], ARGV[5])
            end
            if ARGV[6] == '1' then ended(KEYS[2]) end
            return {'ok', added}
            """)

    /// Takes back an event whose append had no answer, wherever that is: it is not there, and does not come any more.
    ///
    /// KEYS: session, record of the stream, its events. ARGV: prefix, incarnation and epoch of the caller, sequence.
    /// Result: `ok`, `missing`, `fenced` or `none`.
    static let retract = RedisScript(
        fenced + """
            local r = redis.call('HMGET', KEYS[2], 'last', 'bytes')
            if not r[1] then return {'none'} end
            if tonumber(r[1]) < tonumber(ARGV[4]) then redis.call('HSET', KEYS[2], 'last', ARGV[4]) end
            local event = redis.call('XRANGE', KEYS[3], ARGV[4] .. '-0', ARGV[4] .. '-18446744073709551615')[1]
            if event then
              redis.call('XDEL', KEYS[3], event[1])
              redis.call('HSET', KEYS[2], 'bytes', digits(tonumber(r[2]) - #event[2][2]))
            end
            return {'ok'}
            """)

    /// Notes how often the requests of a stream were worked on again.
    ///
    /// KEYS: session, record of the stream. ARGV: prefix, incarnation and epoch of the caller, how often.
    /// Result: `ok`, `missing`, `fenced`, `none` or `ended`.
    static let setRepetitions = RedisScript(
        fenced + """
            local hasEnded = redis.call('HGET', KEYS[2], 'ended')
            if not hasEnded then return {'none'} end
            if hasEnded == '1' then return {'ended'} end
            redis.call('HSET', KEYS[2], 'repetitions', ARGV[4])
            return {'ok'}
            """)

    /// Marks a stream as ended.
    ///
    /// KEYS: session, record of the stream, its events, streams by age. ARGV: prefix, incarnation and epoch of the caller, `<session>:<stream>`.
    /// Result: `ok`, `missing` or `fenced`; `none`.
    static let end = RedisScript(
        fenced + """
            local created = redis.call('HGET', KEYS[2], 'created')
            if not created then return {'none'} end
            ended(KEYS[2])
            local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
            redis.call('ZADD', KEYS[4], 'NX', newest and string.match(newest[1], '%d+$') or created, ARGV[4])
            return {'ok'}
            """)

    /// A stream and some of its events.
    ///
    /// KEYS: record of the stream, its events. ARGV: prefix, first id, most events (0: none). Result: kind, request ids, created, `1` if it has
    /// ended, newest sequence, requests that may be worked on twice, how often they were again; then the events as of XRANGE. Empty when there is no
    /// such stream.
    static let read = RedisScript(
        """
        local r = redis.call('HMGET', KEYS[1], 'kind', 'requests', 'created', 'ended', 'last', 'repeatable', 'repetitions')
        if not r[1] then return {} end
        local events = {}
        if ARGV[3] ~= '0' then events = redis.call('XRANGE', KEYS[2], ARGV[2], '+', 'COUNT', ARGV[3]) end
        return {r[1], r[2], r[3], r[4], r[5], r[6], r[7], events}
        """)

    /// The streams of a session, oldest first. Forgets those that Redis has let expire.
    ///
    /// KEYS: names of the streams. ARGV: prefix, session. Result: of each an array: name, kind, request ids, created, `1` if ended, newest sequence,
    /// requests that may be worked on twice, how often they were again.
    static let streams = RedisScript(
        common + """
            local found = {}
            for _, stream in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
              local r = redis.call('HMGET', P .. 'stream:' .. ARGV[2] .. ':' .. stream, 'kind', 'requests', 'created', 'ended', 'last', 'repeatable',
                'repetitions')
              if r[1] then
                found[#found + 1] = {stream, r[1], r[2], r[3], r[4], r[5], r[6], r[7]}
              else
                redis.call('ZREM', KEYS[1], stream)
              end
            end
            return found
            """)

    /// Deletes old events, and ended streams that have none left; of a stream that goes on the newest event stays.
    ///
    /// KEYS: streams by age. ARGV: prefix, deadline, most streams, events after which it stops. Result: the number of streams worked on.
    static let prune = RedisScript(
        common + """
            local deadline, budget, worked = tonumber(ARGV[2]), tonumber(ARGV[4]), 0
            local function time(event) return tonumber(string.match(event[1], '%d+$')) end
            for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])) do
              if budget <= 0 then break end
              worked, budget = worked + 1, budget - 1
              local record, events = P .. 'stream:' .. name, P .. 'events:' .. name
              local r = redis.call('HMGET', record, 'ended', 'bytes')
              local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
              if not r[1] or (r[1] == '1' and (not newest or time(newest) < deadline)) then
                redis.call('UNLINK', record, events)
                redis.call('ZREM', KEYS[1], name)
                redis.call('ZREM', P .. 'streams:' .. string.sub(name, 1, 36), string.sub(name, 38))
              elseif not newest then
                redis.call('ZREM', KEYS[1], name)
              else
                local bytes, oldest = tonumber(r[2]), nil
                repeat
                  local old = {}
                  for _, event in ipairs(redis.call('XRANGE', events, '-', '+', 'COUNT', 100)) do
                    if event[1] == newest[1] or time(event) >= deadline then oldest = event break end
                    old[#old + 1] = event[1]
                    bytes, budget = bytes - #event[2][2], budget - 1
                  end
                  if #old > 0 then redis.call('XDEL', events, unpack(old)) end
                until oldest
                redis.call('HSET', record, 'bytes', digits(bytes))
                -- Of a stream that goes on the newest event is old and stays: there is nothing to prune before another comes.
                if time(oldest) < deadline then
                  redis.call('ZREM', KEYS[1], name)
                else
                  redis.call('ZADD', KEYS[1], digits(time(oldest)), name)
                end
              end
            end
            return worked
            """)
}
