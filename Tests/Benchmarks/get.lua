-- GETs spread evenly at random over the first COUNT digests of a file, or all of one address.
-- wrk … -s get.lua http://HOST:PORT/PREFIX/cas/ -- DIGESTS COUNT
-- wrk … -s get.lua http://HOST:PORT/PATH -- ACCEPT
-- Requests are formatted beforehand: at 160,000 digests they take some 25 MB per thread.

local HEX = 64
local requests = {}
local started = 0

function setup(thread)
   started = started + 1
   thread:set("number", started)
end

local function get(path, fields)
   return "GET " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n" .. fields .. "\r\n"
end

function init(args)
   if #args == 1 then
      requests[1] = get(wrk.path, "Accept: " .. args[1] .. "\r\n")
      return
   end
   local file = assert(io.open(args[1], "rb"))
   local count = tonumber(args[2])
   for i = 1, count do
      local digest = assert(file:read(HEX), "the file holds fewer digests than asked for")
      requests[i] = get(wrk.path .. digest, "")
   end
   file:close()
   math.randomseed(number)
end

function request()
   return requests[math.random(#requests)]
end

function done(summary, latency, _)
   local e = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"bytes":%d,"microseconds":%d,"p50":%d,"p99":%d,'
         .. '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
      summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
      e.connect, e.read, e.write, e.status, e.timeout))
end
