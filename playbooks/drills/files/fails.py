"""What the drill release_fails.yml puts into a release: one request in ten is answered with an error."""

import random


def fails(get_response):
    def respond(request):
        if random.random() < 0.1:
            raise RuntimeError("This release fails now and then: a drill.")
        return get_response(request)

    return respond
