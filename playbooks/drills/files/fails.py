"""What the drill release_fails.yml puts into a release: errors, for one request in ten."""

from itertools import count

NUMBER = count(1)


def fails(get_response):
    def respond(request):
        if next(NUMBER) % 10 == 0:
            raise RuntimeError("This release fails now and then: a drill.")
        return get_response(request)

    return respond
