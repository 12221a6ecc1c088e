"""What many write themselves: FastAPI, NumPy, all items scored for each request. The peer of benchmarks/serve.py.

python benchmarks/plain_service.py MODEL_FOLDER PORT
"""

import json
import sys
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI, Response

from edgewise.models import load

model = load(Path(sys.argv[1]))
users, items, seen = model.users, np.ascontiguousarray(model.items.T), model.catalogue.seen
user_place = {user: place for place, user in enumerate(map(str, model.catalogue.users.ids.to_list()))}
item_ids = list(map(str, model.catalogue.items.ids.to_list()))
app = FastAPI()


@app.get("/api/recommend/{user_id}")
def recommend(user_id: str) -> Response:
    place = user_place[user_id]
    scores = users[place] @ items
    scores[seen.indices[seen.indptr[place] : seen.indptr[place + 1]]] = -np.inf
    best = np.argpartition(-scores, 10)[:10]
    best = best[np.argsort(-scores[best])]
    return Response(json.dumps([item_ids[item] for item in best]), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
