"""moto's applications, a request led to the one of its service."""

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud.calls import SERVICE


class Dispatcher(DomainDispatcherApplication):
    """moto takes keys of S3 such as `group_vars/all.yml` and `favicon.ico`, asked for by the
    bucket's name as host, for paths of other services. `calls` has read the request already."""

    def __init__(self):
        super().__init__(create_backend_app)

    def get_application(self, environ):
        if environ.get(SERVICE) != "s3":
            return super().get_application(environ)
        with self.lock:
            if "s3" not in self.app_instances:
                self.app_instances["s3"] = self.create_app("s3")
            return self.app_instances["s3"]
