"""Writes what a demo platform consists of into the dictionaries of schemathesis.toml, and its credentials to the
standard output, as exports of a shell."""

import json
import shlex
import sys
import urllib.request

demo, workflow = (json.load(open(path)) for path in sys.argv[1:])
url = demo["baseUrl"]
users = demo["users"]



def post(path, headers, body=None):
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url + path, json.dumps(body or {}).encode(), headers, method="POST")
    return json.load(urllib.request.urlopen(request))


session = post(f"{workflow['path']}/handshake", {"x-api-key": workflow["apiKey"]})
receiver = {"name": "CRM", "url": "https://crm.example.com/messages", "events": ["message_posted"]}
outgoing = post("/v1/webhooks/outgoing", {"Authorization": f"Bearer {demo['apiKey']}"}, receiver)

dictionaries = {
    "addresses": [demo["incomingWebhook"]["path"].rsplit("/", 1)[1]],
    "accounts": [users[0]["email"]],
    "passwords": [users[0]["password"]],
    "channels": demo["channels"].values(),
    "messages": [demo["messageId"], demo["mudbase"]["messageId"]],
    "users": [users[0]["username"], users[1]["email"], users[2]["_id"], users[0]["id"]],
    "topics": [demo["forumTopicId"]],
    "projects": [demo["mudbase"]["projectId"]],
    "chats": [demo["mudbase"]["chatId"]],
    "chat_messages": [demo["mudbase"]["messageId"]],
    "sendbird_channels": [demo["sendbird"]["channelUrl"], demo["channels"]["general"]],
    "sendbird_users": [demo["sendbird"]["userId"], users[1]["username"]],
    "outgoing_webhooks": [outgoing["data"]["_id"]],
    "workflows": [workflow["path"].rsplit("/", 1)[1]],
}
for name, values in dictionaries.items():
    with open(name, "w") as file:
        file.writelines(json.dumps(str(value)) + "\n" for value in values)

variables = {
    "url": url,
    "GUILDHALL_API_KEY": demo["apiKey"],
    "GUILDHALL_SYSTEM_KEY": demo["systemApiKey"],
    "GUILDHALL_JWT": demo["mudbase"]["jwt"],
    "GUILDHALL_SENDBIRD_TOKEN": demo["sendbird"]["apiToken"],
    "GUILDHALL_WEBHOOK_KEY": demo["incomingWebhook"]["apiKey"],
    "GUILDHALL_WORKFLOW_KEY": workflow["apiKey"],
    "GUILDHALL_SESSION_TOKEN": session["sessionToken"],
}
for name, value in variables.items():
    print(f"export {name}={shlex.quote(value)}")
