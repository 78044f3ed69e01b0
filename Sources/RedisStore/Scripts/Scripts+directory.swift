import RESP

extension Scripts {
    /// The record of an instance. `first`: where its arguments begin: name, incarnation, milliseconds that the record lives, address, version,
    /// colour (empty: none), started, `1` if it is draining, the newest signal that it published.
    private static let registration = """
        local function register(key, time, first)
          redis.call('HSET', key, 'incarnation', ARGV[first + 1], 'seen', digits(time), 'address', ARGV[first + 3], 'version', ARGV[first + 4],
            'colour', ARGV[first + 5], 'started', ARGV[first + 6], 'draining', ARGV[first + 7], 'bus', ARGV[first + 8])
          redis.call('PEXPIRE', key, ARGV[first + 2])
          redis.call('SADD', P .. 'instances', ARGV[first])
        end
        local function peers(own, time, lease)
          local found = {}
          for _, name in ipairs(redis.call('SMEMBERS', P .. 'instances')) do
            if name ~= own then
              local peer = alive(name, nil, time, lease)
              if peer then
                found[#found + 1] = peer
              elseif redis.call('EXISTS', P .. 'instance:' .. name) == 0 then
                redis.call('SREM', P .. 'instances', name)
              end
            end
          end
          return found
        end

        """

    /// Draws the number of a new life, and what the cluster shares if this is its first instance.
    ///
    /// The number grows with the clock too, so that it is greater than those of before even if Redis has forgotten them. Where there are no data
    /// they may have been lost just now: whoever has sessions in memory writes them again.
    /// KEYS: cluster, record of the instance. ARGV: prefix, milliseconds of the lease, an id for the data and a secret, in case there are none
    /// (empty: it waits for somebody else's), milliseconds that others may take to write their sessions again.
    /// Result: `drawn`, incarnation, id of the data, secret, `1` if another life of that name was heard of within the lease; or `secretless`.
    static let draw = RedisScript(
        common + """
            local time = now()
            if redis.call('HSETNX', KEYS[1], 'id', ARGV[3]) == 1 then
              redis.call('HSET', KEYS[1], 'recovering', digits(time + tonumber(ARGV[5])))
            end
            if ARGV[4] ~= '' then redis.call('HSETNX', KEYS[1], 'secret', ARGV[4]) end
            if redis.call('HEXISTS', KEYS[1], 'secret') == 0 then return {'secretless'} end
            local newest = number(redis.call('HGET', KEYS[1], 'incarnations'))
            local incarnation = digits(math.max(newest + 1, time))
            redis.call('HSET', KEYS[1], 'incarnations', incarnation)
            local seen = redis.call('HGET', KEYS[2], 'seen')
            local lives = seen and math.abs(time - number(seen)) <= tonumber(ARGV[2]) and '1' or '0'
            return {'drawn', incarnation, redis.call('HGET', KEYS[1], 'id'), redis.call('HGET', KEYS[1], 'secret'), lives}
            """)

    /// Tells that an instance lives, and asks who else does.
    ///
    /// KEYS: cluster, record of the instance. ARGV: prefix, milliseconds of the lease, the id of the data that the instance knows, an id for new
    /// data, the secret, milliseconds that others may take to write their sessions again after a loss, then the record (``registration``).
    /// Result: `alive`, `lost` (these are not the data that the instance knows) or `replaced`; the id of the data; `1` if the secret is the
    /// instance's; the other instances that live; the time.
    static let heartbeat = RedisScript(
        common + alive + registration + """
            local time = now()
            local known = redis.call('HGET', KEYS[2], 'incarnation')
            local id = redis.call('HGET', KEYS[1], 'id')
            if known and number(known) > tonumber(ARGV[8]) then return {'replaced', id or '', '1', {}, digits(time)} end
            local outcome = 'alive'
            if id ~= ARGV[3] then
              outcome = 'lost'
              if not id then
                id = ARGV[4]
                redis.call('HSET', KEYS[1], 'id', id)
              end
              redis.call('HSETNX', KEYS[1], 'secret', ARGV[5])
              redis.call('HSET', KEYS[1], 'recovering', digits(time + tonumber(ARGV[6])))
            end
            if number(redis.call('HGET', KEYS[1], 'incarnations')) < tonumber(ARGV[8]) then
              redis.call('HSET', KEYS[1], 'incarnations', ARGV[8])
            end
            local beat = number(redis.call('HGET', KEYS[1], 'beat'))
            if isSilent(time, beat, tonumber(ARGV[2])) then redis.call('HSET', KEYS[1], 'grace', digits(time + tonumber(ARGV[2]))) end
            redis.call('HSET', KEYS[1], 'beat', digits(time))
            register(KEYS[2], time, 7)
            local same = redis.call('HGET', KEYS[1], 'secret') == ARGV[5] and '1' or '0'
            return {outcome, id, same, peers(ARGV[7], time, tonumber(ARGV[2])), digits(time)}
            """)

    /// Takes an instance out of the directory.
    ///
    /// KEYS: record of the instance, names of all. ARGV: prefix, name, incarnation. Result: none.
    static let leave = RedisScript(
        common + """
            if redis.call('HGET', KEYS[1], 'incarnation') == ARGV[3] then
              redis.call('DEL', KEYS[1])
              redis.call('SREM', KEYS[2], ARGV[2])
            end
            """)
}
