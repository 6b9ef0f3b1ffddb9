"""One job: from the order to its last report (`job`), and what that is and what comes after (`ending`)."""
