import RESP

/// What runs inside Redis. A script is there only where several keys must change, or be compared and changed, in one step.
///
/// The first argument is always the prefix of all keys. Scripts name further keys by what they read (the streams of a session, the record of an
/// instance), which Redis with replicas and sentinels allows and Redis Cluster does not. Every number is passed and kept as decimal digits.
/// The first element of a reply is a word that says what happened.
enum Scripts {
    /// What several scripts use.
    static let common = """
        local P = ARGV[1]
        -- Lua would write large numbers with an exponent.
        local function digits(n) return string.format('%.0f', n) end
        -- Of what should be one, and may have been written by anybody.
        local function number(text) return tonumber(text or '0') or 0 end
        local function now()
          local t = redis.call('TIME')
          return t[1] * 1000 + math.floor(t[2] / 1000)
        end
        -- Nil when the session is at home where the caller says, else why not.
        local function fence(key, incarnation, epoch)
          local home = redis.pcall('HMGET', key, 'incarnation', 'epoch')
          if home.err then return 'unreadable' end
          if not home[2] then return 'missing' end
          if home[1] == incarnation and home[2] == epoch then return nil end
          return 'fenced'
        end
        -- A stream that has ended is not gone on with.
        local function ended(key)
          redis.call('HSET', key, 'ended', '1')
          redis.call('HDEL', key, 'repeatable')
        end

        """

    /// Whether an instance lives: its record must be of that life and recent. A record of the future is one from before the clock was set back, which
    /// a failover to a machine with another clock does too.
    /// While nobody has been heard of for half a lease, which is more than a heartbeat, and for the length of a lease after that, nobody is taken for
    /// dead: it was Redis that was away (`beat`, `grace`).
    static let alive = """
        local function isSilent(time, beat, lease) return math.abs(time - beat) * 2 > lease end
        local function alive(name, incarnation, time, lease)
          local r = redis.pcall('HMGET', P .. 'instance:' .. name, 'incarnation', 'seen', 'address', 'version', 'colour', 'started', 'draining', 'bus')
          if r.err or not r[1] or (incarnation and r[1] ~= incarnation) then return nil end
          if math.abs(time - number(r[2])) > lease then
            local c = redis.call('HMGET', P .. 'cluster', 'grace', 'beat')
            local grace = number(c[1])
            if not isSilent(time, number(c[2]), lease) and (time >= grace or grace - time > lease) then return nil end
          end
          return {name, r[1], r[3], r[4], r[5], r[6], r[7], r[8]}
        end

        """

    /// Removes a session with all that belongs to it, and remembers for a while that it is gone, so that nobody writes it again.
    static let removal = """
        local function remove(id, time)
          local key = P .. 'session:' .. id
          -- What somebody else put there is removed too.
          local client = redis.pcall('HGET', key, 'client')
          if type(client) == 'table' then client = nil end
          for _, stream in ipairs(redis.call('ZRANGE', P .. 'streams:' .. id, 0, -1)) do
            local name = id .. ':' .. stream
            redis.call('UNLINK', P .. 'stream:' .. name, P .. 'events:' .. name)
            redis.call('ZREM', P .. 'aging', name)
          end
          redis.call('UNLINK', key, P .. 'streams:' .. id)
          redis.call('ZREM', P .. 'sessions', id)
          if client then redis.call('ZREM', P .. 'client:' .. client, id) end
          redis.call('ZADD', P .. 'deleted', digits(time), id)
          redis.call('ZREMRANGEBYSCORE', P .. 'deleted', '-inf', digits(time - 900000))
          redis.call('PEXPIRE', P .. 'deleted', 900000)
        end

        """
}
