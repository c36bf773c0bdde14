-- Asks h5live-server for its verdict over a request; see haproxy.cfg beside this file.

local VERIFY = "http://127.0.0.1:8180/secure/verify"
local MILLISECONDS = 5000

core.register_action("h5live-verify", { "http-req" }, function(txn)
    local asked = {
        ["x-original-uri"] = { txn.sf:url() },
        ["x-h5live-stream"] = { txn:get_var("txn.h5live_stream") },
        ["x-forwarded-for"] = { txn.sf:src() },
    }
    -- Every value that the client sent: which of two would count is not for us to choose.
    local sent = txn.http:req_get_headers()
    for _, name in ipairs({ "origin", "referer" }) do
        local values = {}
        for index = 0, 64 do
            local value = sent[name] and sent[name][index]
            if value == nil then break end
            values[#values + 1] = value
        end
        if #values > 0 then asked[name] = values end
    end
    local answer = core.httpclient():get({ url = VERIFY, headers = asked, timeout = MILLISECONDS })
    -- Whatever is no grant is a refusal: a server that is not there answers with no status.
    local code = answer and answer.headers and answer.headers["x-h5live-code"]
    txn:set_var("txn.h5live_code", code and code[0] or "4900")
    txn:set_var("txn.h5live_granted", answer ~= nil and answer.status == 204)
end)
