"""With this directory on PYTHONPATH, every AWS call of boto3 is noted in the file RECORDED_CALLS.

One JSON line each: service, operation, parameters, answer. Python imports this by its name.
"""

import importlib.abc
import importlib.util
import json
import os
import sys


class Watch(importlib.abc.MetaPathFinder):
    """Waits for botocore: most programs never load it, and should not because of us."""

    def find_spec(self, name, path, target=None):
        if name != "botocore.client":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_record(module):
            load(module)
            record(module.BaseClient)

        spec.loader.exec_module = load_and_record
        return spec


def record(client_class):
    call = client_class._make_api_call

    def recorded(client, operation, parameters):
        answer = call(client, operation, parameters)
        note = [client.meta.service_model.service_name, operation, parameters, answer]
        line = json.dumps(note, default=text) + "\n"
        with open(os.environ["RECORDED_CALLS"], "a") as file:  # noqa: PTH123 - nothing more to import
            file.write(line)
        return answer

    client_class._make_api_call = recorded


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


sys.meta_path.insert(0, Watch())
