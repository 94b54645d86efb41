"""What happens when somebody types ``triage``?"""

from triage.cli import main

if __name__ == "__main__":
    main()
