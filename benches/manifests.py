"""Large manifests, of which most of the time goes into reading and writing them."""

from pathlib import Path

CONFIG = """apiVersion: v1
kind: ConfigMap
metadata:
  name: settings-{number}
  labels: {{app: "web", tier: back}}
data:
  application.properties: |
    # Not one of these lines is a reference.
    server.port=8080
    upstream.url=https://upstream.example/{number}
    cache.seconds={number}
  greeting: "good morning, \\"{number}\\""
  mode: 'it''s on'
---
"""

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: web-{number}, labels: {{app: web}}}}
spec:
  replicas: 2
  selector:
    matchLabels: {{app: web-{number}}}
  template:
    metadata:
      labels: {{app: web-{number}}}
    spec:
      containers:
      - name: web
        image: {reference}
        ports: [{{containerPort: 8080}}]
        env: [{{name: PORT, value: "8080"}}]
---
"""


class Files:
    """The same three files for one reference: no more than the reference, few references in much
    text, and a reference in every object."""

    FEW = 10

    def __init__(self, folder: Path, name: str, reference: str, few: float, many: int):
        self.one, self.few, self.many = (folder / f"{name}-{kind}.yaml" for kind in ("one", "few", "many"))

        def deployment(number):
            return DEPLOYMENT.format(number=number, reference=reference)

        self.one.write_text(deployment(0))
        self.many.write_text("".join(map(deployment, range(many))))
        objects = int(few * 1e6 / len(CONFIG.format(number=100_000)))
        between = objects // self.FEW
        with open(self.few, "w") as file:
            for number in range(objects):
                file.write(CONFIG.format(number=number))
                if number % between == 0:
                    file.write(deployment(number))

    @staticmethod
    def megabytes(file: Path) -> float:
        return file.stat().st_size / 1e6
