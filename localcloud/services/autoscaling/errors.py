"""AWS's errors for calls about groups."""

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError


def invalid(message: str) -> ValidationError:
    return ValidationError(message)


def already_exists(message: str) -> AutoscalingClientError:
    return AutoscalingClientError("AlreadyExists", message)


def in_use(message: str) -> AutoscalingClientError:
    return AutoscalingClientError("ResourceInUse", message)


def in_progress(message: str) -> AutoscalingClientError:
    return AutoscalingClientError("ScalingActivityInProgress", message)


def refresh_in_progress(message: str) -> AutoscalingClientError:
    return AutoscalingClientError("InstanceRefreshInProgress", message)


def no_refresh(message: str) -> AutoscalingClientError:
    return AutoscalingClientError("ActiveInstanceRefreshNotFound", message)


def irreversible(message: str) -> AutoscalingClientError:
    return AutoscalingClientError("IrreversibleInstanceRefresh", message)
