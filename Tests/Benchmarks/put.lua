-- PUTs of new bodies. Every thread takes a part of its own of the digests in a file and goes through it once.
-- wrk … -s put.lua http://HOST:PORT/PREFIX/cas/ -- DIGESTS COUNT FIRST THREADS FILLER
-- The body of digest number i is the contents of FILLER and then FIRST + i as 16 hexadecimal digits, so only the
-- digests (hexadecimal, 64 bytes each) come from the file.

local HEX = 64
local threads = {}

function setup(thread)
   thread:set("part", #threads)
   threads[#threads + 1] = thread
end

function init(args)
   local count, parts = tonumber(args[2]), tonumber(args[4])
   size = math.floor(count / parts)
   offset = part * size
   base = tonumber(args[3])
   taken = 0

   local file = assert(io.open(args[1], "rb"))
   file:seek("set", offset * HEX)
   digests = file:read(size * HEX)
   file:close()

   file = assert(io.open(args[5], "rb"))
   local filler = file:read("*a")
   file:close()
   head = "PUT " .. wrk.path
   rest = " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\nContent-Length: " .. (#filler + 16)
      .. "\r\n\r\n" .. filler
end

function request()
   local i = taken
   if i >= size then
      exhausted = true
      wrk.thread:stop()
      i = size - 1
   else
      taken = i + 1
   end
   return head .. digests:sub(i * HEX + 1, (i + 1) * HEX) .. rest .. string.format("%016x", base + offset + i)
end

function done(summary, latency, _)
   local taken, exhausted = {}, "false"
   for i, thread in ipairs(threads) do
      taken[i] = thread:get("taken")
      if thread:get("exhausted") then exhausted = "true" end
   end
   local e = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"bytes":%d,"microseconds":%d,"p50":%d,"p99":%d,'
         .. '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"taken":[%s],"exhausted":%s}\n',
      summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
      e.connect, e.read, e.write, e.status, e.timeout, table.concat(taken, ","), exhausted))
end
