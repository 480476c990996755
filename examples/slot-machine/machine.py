"""The function: one pull of the lever."""

import json
import secrets

REELS = ("cherry", "lemon", "bell", "seven")
PAYS = {"cherry": 5, "lemon": 10, "bell": 20, "seven": 100}


def handler(event, context):
    """Called through the function's URL with POST and `{"bet": 1}`."""
    if event["requestContext"]["http"]["method"] != "POST":
        return answer(405, {"error": "Pull the lever with POST."})
    try:
        bet = json.loads(event.get("body") or "{}").get("bet", 1)
    except (ValueError, AttributeError):
        bet = 0
    if not isinstance(bet, int) or not 1 <= bet <= 5:
        return answer(400, {"error": "Bet between 1 and 5 coins."})
    reels = [secrets.choice(REELS) for _ in range(3)]
    won = PAYS[reels[0]] * bet if len(set(reels)) == 1 else 0
    print(json.dumps({"reels": reels, "bet": bet, "won": won}))
    return answer(200, {"reels": reels, "bet": bet, "won": won})


def answer(status, body):
    """In the form that function URLs make HTTP answers of."""
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
