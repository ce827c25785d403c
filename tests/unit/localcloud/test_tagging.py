"""Lists of resources by their tags."""

import logging

from localcloud.state import State


def test_a_list_of_several_pages_is_no_state(api, cloud, settings, caplog):
    sns, tagging = api.client("sns"), api.client("resourcegroupstaggingapi")
    for number in range(3):
        sns.create_topic(Name=f"topic-{number}", Tags=[{"Key": "Project", "Value": "shop"}])
    asked = {"TagFilters": [{"Key": "Project"}], "ResourcesPerPage": 2}
    first = tagging.get_resources(**asked)
    with caplog.at_level(logging.WARNING, "localcloud.state"):
        cloud.save()
    assert caplog.records == []
    second = tagging.get_resources(PaginationToken=first["PaginationToken"], **asked)
    found = [
        each["ResourceARN"].rpartition(":")[2]
        for page in (first, second)
        for each in page["ResourceTagMappingList"]
    ]
    assert sorted(found) == ["topic-0", "topic-1", "topic-2"]
    assert State(settings.state / "api.pickle").load() == []
